"""Which tokenizer a model folder or name asks for, loaded.

The two kinds are imported only when chosen: mistral-common alone takes a second, more than `check` may.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.errors import JobError
from pipeline.prompts.tokenizer import Tokenizer

MISTRAL_NAMES = {
    "mistral-large-2407": "mistral_instruct_tokenizer_240323.model.v3",
    "mistral-large-2411": "mistral_instruct_tokenizer_241114.model.v7",
}
"""Models whose tokenizer lies in mistral-common's own wheel."""


def load_tokenizer(
    kind: Literal["auto", "hf", "mistral"], model_folder: Path | None = None, name: str | None = None
) -> Tokenizer:
    """Load a tokenizer from a model folder, or by the name of a model that mistral-common knows.

    Args:
        kind: Hugging Face files, mistral-common, or auto: mistral-common's file where the folder holds one (it is the
            reference for these models), else Hugging Face's.
        model_folder: Folder with the tokenizer's files.
        name: One of MISTRAL_NAMES; used when there is no folder, or no mistral-common file in it.

    Raises:
        JobError: Nothing fits; says what is missing and where it was looked for.
    """
    mistral_file = _mistral_file(model_folder, name)
    if kind == "mistral" or (kind == "auto" and mistral_file is not None):
        if mistral_file is None:
            raise JobError(
                f"No mistral-common tokenizer: expected tekken.json or tokenizer.model.v3 (or later) in "
                f"{model_folder}, or one of the names {', '.join(MISTRAL_NAMES)}; got name {name!r}."
            )
        from pipeline.prompts.mistral_tokenizer import load_mistral_tokenizer

        return load_mistral_tokenizer(mistral_file)
    if model_folder is None:
        raise JobError(
            f"No tokenizer: {name!r} is not one of {', '.join(MISTRAL_NAMES)}, and there is no model folder."
        )
    from pipeline.prompts.hf_tokenizer import load_hf_tokenizer

    return load_hf_tokenizer(model_folder)


def _mistral_file(model_folder: Path | None, name: str | None) -> Path | None:
    """The folder's tokenizer file of the latest version, else the wheel's for the name."""
    if model_folder is not None:
        tekken = sorted(model_folder.glob("tekken*.json"))
        versions = sorted(model_folder.glob("tokenizer.model.v*"), key=lambda path: (len(path.name), path.name))
        if tekken or versions:
            return (tekken or versions)[-1]
    if name in MISTRAL_NAMES:
        import mistral_common

        return Path(mistral_common.__file__).parent / "data" / MISTRAL_NAMES[name]
    return None
