"""A tiny random model with a context of 131,072 positions for tests of the plumbing; its answers are noise.

Its tokenizer is a real model's, so prompts, chat template and grammar behave as with that one.
"""

import json
import shutil
from pathlib import Path

from pipeline.models import ModelFolder, load_model_folder

CONTEXT_WINDOW = 131_072


def make_tiny_model(folder: Path, tokenizer: Path) -> ModelFolder:
    """Write 3.3 million random parameters (9 MB) in Hugging Face layout.

    Args:
        folder: Where; made when absent.
        tokenizer: A model folder whose tokenizer files are copied.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    special = json.loads((tokenizer / "config.json").read_text(encoding="utf-8"))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "vocab_size": special["vocab_size"],
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,  # among the sizes that vLLM's attention on the CPU has
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT_WINDOW,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "tie_word_embeddings": True,
        **{name: special[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.ones(shape, dtype=torch.bfloat16)
        if "norm" in name
        else (torch.randn(shape, generator=generator) * 0.05).to(torch.bfloat16)
        for name, shape in _shapes(config["vocab_size"]).items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(tokenizer / file, folder / file)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["model_max_length"] = CONTEXT_WINDOW
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return load_model_folder(folder)


def _shapes(n_vocabulary: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (n_vocabulary, 64), "model.norm.weight": (64,)}
    for layer in range(2):
        prefix = f"model.layers.{layer}."
        shapes |= {
            prefix + "input_layernorm.weight": (64,),
            prefix + "post_attention_layernorm.weight": (64,),
            prefix + "self_attn.q_proj.weight": (128, 64),
            prefix + "self_attn.k_proj.weight": (64, 64),
            prefix + "self_attn.v_proj.weight": (64, 64),
            prefix + "self_attn.o_proj.weight": (64, 128),
            prefix + "mlp.gate_proj.weight": (256, 64),
            prefix + "mlp.up_proj.weight": (256, 64),
            prefix + "mlp.down_proj.weight": (64, 256),
        }
    return shapes
