"""Model folders with the shape of a real model and no weights, for vLLM's `load_format = "dummy"`.

Speed and memory depend on the shape alone. The tokenizer is the embedded model's: its ids are among theirs.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

_SHARED = {
    "architectures": ["MistralForCausalLM"],
    "model_type": "mistral",
    "dtype": "bfloat16",
    "hidden_act": "silu",
    "hidden_size": 5120,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 131_072,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-5,
    "sliding_window": None,
    "tie_word_embeddings": False,
}
SHAPES: Mapping[str, Mapping[str, object]] = {
    # The public configurations of Mistral-Nemo-Instruct-2407 and Mistral-Small-3.1-24B-Instruct-2503, text part.
    "nemo-12b": {**_SHARED, "intermediate_size": 14_336, "rope_theta": 1e6},
    "small-24b": {**_SHARED, "intermediate_size": 32_768, "rope_theta": 1e9},
    "rehearsal": {
        **_SHARED,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "intermediate_size": 256,
        "vocab_size": 49_152,
        "rope_theta": 1e6,
    },
}
_PLACE_BYTES = 2048


def write_model(folder: Path, shape: str, tokenizer: Path) -> Path:
    """Write config.json, the tokenizer files of another model, and a weight file that holds none; returns the folder.

    Args:
        folder: Where; made when absent.
        shape: Of `SHAPES`.
        tokenizer: A model folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(SHAPES[shape])
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": config["rope_theta"]}
    control = json.loads((tokenizer / "config.json").read_bytes())
    config |= {name: control[name] for name in ("bos_token_id", "eos_token_id")}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(tokenizer / name, folder / name)
    header = {"unused": {"dtype": "U8", "shape": [_PLACE_BYTES], "data_offsets": [0, _PLACE_BYTES]}}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(_PLACE_BYTES))
    return folder


def cache_bytes_per_token(shape: str) -> int:
    """Keys and values of one token in all layers, two bytes each."""
    config = SHAPES[shape]
    layers, heads, size = (config[name] for name in ("num_hidden_layers", "num_key_value_heads", "head_dim"))
    assert isinstance(layers, int) and isinstance(heads, int) and isinstance(size, int)
    return 2 * 2 * layers * heads * size
