"""Child process: the embedded model's GGUF in, a folder in Hugging Face layout out.

Run as `python -m pipeline.models.convert GGUF FOLDER`, so that torch never loads in the process that asks for a model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

CONTEXT_WINDOW = 8192


def main(gguf: Path, folder: Path) -> None:
    """Write config, tokenizer and bfloat16 safetensors of a GGUF file into a folder."""
    _save_weights(gguf, folder)
    _save_tokenizer(gguf, folder)
    for name in ("config.json", "generation_config.json"):
        # The same weights are the same model whichever library version wrote them.
        _edit(folder / name, remove=("transformers_version", "_model_name_or_path"))


def _save_weights(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    # The weights are plain numbers now; left in place, these two would have it saved as a quantized model.
    model.config.__dict__.pop("quantization_config", None)
    model.hf_quantizer = None  # type: ignore[assignment]  # the library's own attribute, not a layer
    model.save_pretrained(folder)


def _save_tokenizer(gguf: Path, folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.save_pretrained(folder)
    _edit(
        folder / "tokenizer_config.json",
        remove=("is_local", "local_files_only", "backend"),
        add={
            "chat_template": tokenizer.chat_template,
            "model_max_length": CONTEXT_WINDOW,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )
    # GGUF names the pre-tokenizer only ("smollm"): each digit is a piece of its own. The reader gives GPT-2's alone.
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    digits = {"type": "Digits", "individual_digits": True}
    _edit(
        folder / "tokenizer.json",
        add={"pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, content["pre_tokenizer"]]}},
    )


def _edit(file: Path, remove: tuple[str, ...] = (), add: dict[str, Any] | None = None) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    kept = {key: value for key, value in content.items() if key not in remove}
    file.write_text(json.dumps(kept | (add or {}), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
