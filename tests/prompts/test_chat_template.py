"""Chat templates of the kinds that models come with."""

import json
from pathlib import Path

import pytest

from pipeline.errors import JobError
from pipeline.prompts.chat_template import ChatTemplate, load_chat_template

LLAMA_3 = (
    "{% for message in messages %}{% set content = '<|start|>' + message['role'] + '\n\n' + message['content'] | trim "
    "+ '<|eot|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\n\n' }}{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{{ bos_token }}[INST] {{ messages[0]['content'] }} [/INST]"
)
SYSTEM_DROPPED = "{% for m in messages if m.role == 'user' %}<u>{{ m.content }}</u>{% endfor %}"


def test_the_template_is_cut_around_our_words() -> None:
    template = ChatTemplate(LLAMA_3, {"bos_token": "<|begin|>"})
    assert template.split("Be brief.", "Document:\n") == [
        "<|begin|><|start|>system\n\n",
        "Be brief.",
        "<|eot|><|start|>user\n\n",
        "Document:\n",
        "<|eot|><|start|>assistant\n\n",
    ]


@pytest.mark.parametrize(
    ("source", "opening", "closing"),
    [(NO_SYSTEM, "<s>[INST] ", " [/INST]"), (SYSTEM_DROPPED, "<u>", "</u>")],
)
def test_without_a_system_turn_its_text_opens_the_users(source: str, opening: str, closing: str) -> None:
    template = ChatTemplate(source, {"bos_token": "<s>"})
    assert template.split("Be brief.", "Document:\n") == [opening, "Be brief.\n\nDocument:\n", closing]


def test_words_that_look_like_a_template_are_only_words() -> None:
    pieces = ChatTemplate(LLAMA_3, {"bos_token": ""}).split("{{ 1 + 1 }} {% if", "{{ bos_token }}\n")
    assert pieces[1] == "{{ 1 + 1 }} {% if"
    assert pieces[3] == "{{ bos_token }}\n"


def test_today_is_always_the_same_day() -> None:
    source = "{{ strftime_now('%d %b %Y') }}{% for m in messages %}|{{ m.content }}|{% endfor %}"
    assert ChatTemplate(source, {}).split("s", "u")[0] == "01 Jan 2025|"


def test_what_transformers_offers_templates_is_there() -> None:
    source = (
        "{{ {'a': '<é>'} | tojson }}{% for m in messages %}{% if loop.index > 9 %}{% break %}{% endif %}"
        "({{ m.content }}){% endfor %}{{ 'think' if enable_thinking else 'answer' }}{{ tools is none }}"
    )
    assert ChatTemplate(source, {}).split("s", "u") == ['{"a": "<é>"}(', "s", ")(", "u", ")answerTrue"]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "no messages at all",
        "{{ messages[-1].content }}{{ messages[-1].content }}",
        "{{ messages[-1].content | length }}",
        "{{ raise_exception('never') }}",
        "{{ undefined_function() }}",
        "{{ messages.__class__.__mro__ }}",
        "{{ 1 / 'a' }}",
        "{% for m in messages | reverse %}<{{ m.content }}>{% endfor %}{{ messages[0].content }}",
    ],
)
def test_a_template_that_does_not_show_each_message_once_is_refused(source: str) -> None:
    with pytest.raises(JobError, match="chat template cannot be used"):
        ChatTemplate(source, {}).split("s", "u")


def test_a_template_that_is_not_jinja_is_refused() -> None:
    with pytest.raises(JobError, match="not valid"):
        ChatTemplate("{% for %}", {})


def test_where_a_template_lies(tmp_path: Path) -> None:
    config = tmp_path / "tokenizer_config.json"
    with pytest.raises(JobError, match="No chat template"):
        load_chat_template(tmp_path)
    config.write_text(json.dumps({"chat_template": [{"name": "tool_use", "template": "t"}]}))
    with pytest.raises(JobError, match="instruction-tuned"):
        load_chat_template(tmp_path)
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    config.write_text(json.dumps({"chat_template": named, "bos_token": "<s>", "eos_token": {"content": "</s>"}}))
    assert load_chat_template(tmp_path).source == "d"
    (tmp_path / "chat_template.jinja").write_text("{{ bos_token }}{{ messages[-1].content }}{{ eos_token }}")
    assert load_chat_template(tmp_path).split("s", "u") == ["<s>", "s\n\nu", "</s>"]
    config.write_text("{")
    with pytest.raises(JobError, match="not JSON"):
        load_chat_template(tmp_path)
