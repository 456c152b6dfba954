"""Slack's documented limits of messages: what the real one refuses, and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOST_BLOCKS = 50
MOST_TEXT = 40_000
MOST_IN_BLOCKS = 13_200
SECTION, HEADER, FIELD, BUTTON, TEXT_OBJECT = 3000, 150, 2000, 75, 3000
MARKDOWN = 12_000
KNOWN = {"actions", "context", "divider", "file", "header", "image", "input", "markdown", "rich_text", "section",
         "table", "video"}  # fmt: skip
ELEMENTS = {"button", "static_select", "overflow", "datepicker", "image", "checkboxes", "radio_buttons",
            "workflow_button", "multi_static_select", "timepicker", "plain_text_input", "users_select",
            "channels_select", "conversations_select"}  # fmt: skip


def refusal(payload: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """Slack's error code for a message and its explanations, or None when it would be accepted."""
    text, blocks, attachments = payload.get("text"), payload.get("blocks"), payload.get("attachments")
    if text is not None and not isinstance(text, str):
        return "no_text", []
    if not text and not blocks and not attachments:
        return "no_text", []
    if text and len(text) > MOST_TEXT:
        return "msg_too_long", []
    if blocks is not None:
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            return "invalid_blocks_format", []
        problems = list(_blocks(blocks))
        if problems:
            return "invalid_blocks", [f"[ERROR] {problem}" for problem in problems]
        if sum(_length(block) for block in blocks) > MOST_IN_BLOCKS:
            return "msg_blocks_too_long", []
    metadata = payload.get("metadata")
    if metadata is not None and not (
        isinstance(metadata, dict)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), dict)
    ):
        return "invalid_metadata_format", []
    return None


def _blocks(blocks: list[dict[str, Any]]) -> Iterator[str]:
    if len(blocks) > MOST_BLOCKS:
        yield f"no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]"
    named = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(named)) != len(named):
        yield "block_ids must be unique within a message [json-pointer:/blocks]"
    for number, block in enumerate(blocks):
        yield from _block(block, f"/blocks/{number}")


def _block(block: dict[str, Any], at: str) -> Iterator[str]:
    kind = block.get("type")
    if kind not in KNOWN:
        yield f"unsupported type: {kind} [json-pointer:{at}/type]"
        return
    if len(str(block.get("block_id", ""))) > 255:
        yield f"must be less than 256 characters [json-pointer:{at}/block_id]"
    if kind == "section":
        yield from _section(block, at)
    elif kind == "header":
        yield from _text(block.get("text"), f"{at}/text", HEADER, ("plain_text",))
    elif kind == "context":
        yield from _elements(block, at, 10, text=True)
    elif kind == "actions":
        yield from _elements(block, at, 25, text=False)
    elif kind == "image":
        yield from _image(block, at)
    elif kind == "markdown" and not 0 < len(str(block.get("text", ""))) <= MARKDOWN:
        yield f"must be 1 to {MARKDOWN} characters [json-pointer:{at}/text]"


def _section(block: dict[str, Any], at: str) -> Iterator[str]:
    fields = block.get("fields")
    if "text" not in block and not fields:
        yield f"missing required field: text [json-pointer:{at}]"
    if "text" in block:
        yield from _text(block["text"], f"{at}/text", SECTION)
    if fields is not None:
        if not isinstance(fields, list) or not 1 <= len(fields) <= 10:
            yield f"must be 1 to 10 items [json-pointer:{at}/fields]"
            return
        for number, one in enumerate(fields):
            yield from _text(one, f"{at}/fields/{number}", FIELD)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{at}/accessory")


def _elements(block: dict[str, Any], at: str, most: int, text: bool) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= most:
        yield f"must be 1 to {most} items [json-pointer:{at}/elements]"
        return
    for number, element in enumerate(elements):
        place = f"{at}/elements/{number}"
        if text and isinstance(element, dict) and element.get("type") in ("mrkdwn", "plain_text"):
            yield from _text(element, place, TEXT_OBJECT)
        else:
            yield from _element(element, place)


def _element(element: Any, at: str) -> Iterator[str]:
    if not isinstance(element, dict) or element.get("type") not in ELEMENTS:
        yield f"unsupported element [json-pointer:{at}]"
        return
    if element["type"] == "image":
        yield from _image(element, at)
    if element["type"] == "button":
        yield from _text(element.get("text"), f"{at}/text", BUTTON, ("plain_text",))
    for name, most in (("value", 2000), ("url", 3000), ("action_id", 255)):
        if len(str(element.get(name, ""))) > most:
            yield f"must be less than {most + 1} characters [json-pointer:{at}/{name}]"


def _image(block: dict[str, Any], at: str) -> Iterator[str]:
    if not 0 < len(str(block.get("alt_text", ""))) <= 2000:
        yield f"missing required field: alt_text [json-pointer:{at}]"
    address, file = block.get("image_url"), block.get("slack_file")
    usable = isinstance(address, str) and address.startswith(("http://", "https://")) and len(address) <= 3000
    if not file and not usable:
        yield f"invalid image_url [json-pointer:{at}/image_url]"
    if "title" in block:
        yield from _text(block["title"], f"{at}/title", 2000, ("plain_text",))


def _text(value: Any, at: str, most: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") not in kinds or not isinstance(value.get("text"), str):
        yield f"must be a text object of type {' or '.join(kinds)} [json-pointer:{at}]"
    elif not value["text"]:
        yield f"must be more than 0 characters [json-pointer:{at}/text]"
    elif len(value["text"]) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{at}/text]"


def _length(value: Any) -> int:
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_length(item) for item in value.values() if isinstance(item, (dict, list)))
    return sum(_length(item) for item in value) if isinstance(value, list) else 0
