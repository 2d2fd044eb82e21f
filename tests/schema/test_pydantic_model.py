from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import SchemaError
from pipeline.schema import pydantic_model
from pipeline.schema.load import load_contract

LEASE = '''
from __future__ import annotations
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from pydantic import BaseModel, Field
print("a file that chats")

class Party(BaseModel):
    """Who signs."""
    name: Annotated[str, Field(max_length=80)]
    role: Literal["tenant", "landlord"]

class Lease(BaseModel):
    parties: list[Party] = Field(json_schema_extra={"x-key": ["name"], "x-merge": "union"})
    begin: date | None = Field(default=None, description="First day")
    rooms: int

    class Inner(BaseModel):
        a: int

class Plain:
    pass

class Node(BaseModel):
    value: int
    kids: list[Node] = []
'''


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(text: str, name: str) -> Path:
        (tmp_path / "x.py").write_text(text)
        return tmp_path / f"x.py:{name}"

    return write


def test_a_model_is_a_contract(write: Callable[[str, str], Path]) -> None:
    contract = load_contract(write(LEASE, "Lease"), 1000)
    assert contract.name == "Lease"
    assert [(c.name, c.type_text, c.description) for c in contract.columns] == [
        ("parties", "list<struct<name: string, role: dictionary<int32, string>>>", ""),
        ("begin", "date32", "First day"),
        ("rooms", "int64", ""),
    ]
    assert (contract.columns[0].merge, contract.columns[0].key) == ("union", ("name",))
    assert contract.validator.is_valid({"parties": [], "rooms": 2, "begin": None})
    assert not contract.validator.is_valid({"parties": [{"name": "A", "role": "cat"}], "rooms": 2})


def test_models_in_models_and_models_of_themselves(write: Callable[[str, str], Path]) -> None:
    assert [c.name for c in load_contract(write(LEASE, "Lease.Inner"), 1000).columns] == ["a"]
    node = load_contract(write(LEASE, "Node"), 1000)
    assert [c.type_text for c in node.columns] == ["int64", "list<string (JSON)>"]


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (LEASE, "House", "it has no class 'House'; its models: Party, Lease, Node"),
        (LEASE, "Plain", "'Plain' is no pydantic BaseModel"),
        (LEASE, "date", "'date' is no pydantic BaseModel"),
        ("import nothing_like_it\n", "A", "line 1: ModuleNotFoundError"),
        ("a = 1\nclass B(:\n", "B", "line 2: SyntaxError"),
        ("a = 1\n\nraise SystemExit(0)\n", "B", "line 3: SystemExit"),
        ("import os\nos._exit(0)\n", "B", "ended the process that did it (status 0)"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "B", "ended the process that did it (status -9)"),
        (
            "import pydantic, typing\nclass B(pydantic.BaseModel):\n    f: typing.Callable[[], int]\n",
            "B",
            "'B' has no JSON Schema: ",
        ),
    ],
)
def test_a_wrong_file_is_a_sentence(write: Callable[[str, str], Path], text: str, name: str, sentence: str) -> None:
    path = write(text, name)
    with pytest.raises(SchemaError) as caught:
        load_contract(path, 1000)
    assert str(caught.value).startswith(f"schema {path}: ")
    assert sentence in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="there is no file"):
        load_contract(tmp_path / "absent.py:Model", 1000)


def test_a_file_that_never_ends(write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydantic_model, "TIMEOUT_S", 1.0)
    with pytest.raises(SchemaError, match="took more than 1 s"):
        load_contract(write("while True: pass\n", "A"), 1000)


def test_only_python_files_have_models() -> None:
    assert pydantic_model.is_model(Path("schemas/x.py:Model"))
    assert not pydantic_model.is_model(Path("schemas/x.json"))
    assert not pydantic_model.is_model(Path("schemas/x.py:"))
    assert not pydantic_model.is_model(Path("schemas/x.json:Model"))


def test_a_decimal_is_a_number_with_a_step(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "from decimal import Decimal\nfrom pydantic import BaseModel, Field\n"
        "class M(BaseModel):\n    price: Decimal = Field(ge=0, lt=10**6, decimal_places=2)\n    any: Decimal\n"
    )
    contract = load_contract(tmp_path / "m.py:M", 512)
    assert [column.type_text for column in contract.columns] == ["decimal128(38, 2)", "float64"]


def test_a_process_that_the_file_leaves_behind_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydantic_model, "TIMEOUT_S", 20)
    (tmp_path / "m.py").write_text(
        "import subprocess\nfrom pydantic import BaseModel\nsubprocess.Popen(['sleep', '25'])\n"
        "class M(BaseModel):\n    a: int\n"
    )
    assert load_contract(tmp_path / "m.py:M", 512).columns[0].name == "a"
