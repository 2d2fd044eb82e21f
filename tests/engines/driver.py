"""Not a test: a program that loads a model, answers one prompt of 130,900 tokens, and prints it as one JSON line."""

import dataclasses
import json
import sys
from pathlib import Path

from pipeline.engines.settings import EngineSettings
from pipeline.engines.vllm_offline import VllmEngine
from pipeline.models import load_model_folder
from pipeline.prompts.prompt import Prompt


def main() -> None:
    model = load_model_folder(Path(sys.argv[1]))
    options = {"kv_cache_memory_bytes": 1 << 30, "max_num_batched_tokens": 8192}
    settings = EngineSettings(
        model.path, model.name, model.identity, model.context_window, Path(sys.argv[2]), options=options
    )
    properties = {"title": {"type": "string", "maxLength": 30}, "n": {"type": "integer", "minimum": 0, "maximum": 99}}
    schema = {"type": "object", "properties": properties, "required": ["title", "n"], "additionalProperties": False}
    engine = VllmEngine(settings)
    engine.start()
    engine.submit(Prompt("p", "d", 0, "t", [50 + i * 31 % 40_000 for i in range(130_900)], 100, json.dumps(schema)))
    while not (generations := engine.collect(1.0)):
        pass
    engine.close()
    print(json.dumps(dataclasses.asdict(generations[0])))


if __name__ == "__main__":
    main()
