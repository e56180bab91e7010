"""What the models of the reference SDK say and do, for the conformance tests.

    models.py schemas          one JSON document: the models' schemas, the enumerations, the API's operations
    models.py cases            a line of JSON for each case: a document, and what the reference makes of it
    models.py check < lines    for each line {"model", "document"}: what the reference makes of it

A document that the reference refuses has the answer null. Run with the Python of a virtual environment that has
connector-py installed.
"""

import enum
import functools
import importlib.util
import inspect
import json
import pathlib
import re
import sys
import types
import typing
from datetime import datetime

import connector_sdk_types.generated as generated
from pydantic import BaseModel, TypeAdapter, ValidationError

#: One value of each JSON type; every field is given each of them, and the reference decides.
OF_EACH_TYPE = {
    "null": None,
    "a text": "some text",
    "a number": 7,
    "a negative number": -7,
    "a fraction": 1.5,
    "a whole fraction": 2.0,
    "true": True,
    "an empty list": [],
    "an empty object": {},
}
TIMES = [
    "2026-01-15T10:30:00Z",
    "2026-01-15T10:30:00+05:00",
    "2026-01-15t10:30:00.123456789-0830",
    "2026-01-15 10:30",
    "2026-01-15",
    "2026-02-30T00:00:00Z",
    "2026-01-15T24:00:00Z",
    "2026-01-15T10:30:60Z",
    "2026-01-15T10:30:00+05",
    "2026-01-15T10:30Z ",
    "1700000000",
]


def classes(base):
    found = {}
    for name, value in vars(generated).items():
        if inspect.isclass(value) and issubclass(value, base) and value is not base:
            found[name] = value
    return found


MODELS = classes(BaseModel)
ENUMS = classes(enum.Enum)


# -- schemas ----------------------------------------------------------------------------------------------------------


def schemas():
    models = {name: model.model_json_schema() for name, model in MODELS.items()}
    enums = {name: [member.value for member in members] for name, members in ENUMS.items()}
    schemas = document().partition("\ncomponents:")[2]
    documented = re.findall(r"^    (\w+):$", schemas, flags=re.M)
    return {
        "models": models,
        "enums": enums,
        "operations": operations(),
        "documented": documented,
        "keeping_unknown_members": [
            name for name, model in MODELS.items() if model.model_config.get("extra", "ignore") != "ignore"
        ],
        "taking_unknown_values": [name for name, members in ENUMS.items() if "_missing_" in vars(members)],
    }


def operations():
    """The capabilities in the API's document, each with its models of a request and of an answer."""
    text = document()
    found = {}
    for part in re.split(r"^  /", text[text.index("\npaths:") : text.index("\ncomponents:")], flags=re.M)[1:]:
        path = part[: part.index(":")]
        if not path.startswith("{connector_id}/"):
            continue
        answers = re.findall(r"#/components/schemas/(\w+Response)'", part)
        response = answers[0]
        request = response.removesuffix("Response") + "Request"
        found[path.split("/")[1]] = {
            "request": request if request in MODELS else None,
            "answers": answers,
        }
    return found


def document():
    """What `connector spec` prints."""
    package = importlib.util.find_spec("connector").submodule_search_locations[0]
    return (pathlib.Path(package) / "spec" / "openapi.yaml").read_text(encoding="utf-8")


# -- cases ------------------------------------------------------------------------------------------------------------


def is_model(kind):
    return inspect.isclass(kind) and issubclass(kind, BaseModel)


def is_enum(kind):
    return inspect.isclass(kind) and issubclass(kind, enum.Enum)


def plain(kind):
    """The type without `Annotated` and without null, and the types that it is a union of."""
    if typing.get_origin(kind) is typing.Annotated:
        return plain(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [
            variant
            for argument in typing.get_args(kind)
            if argument is not type(None)
            for variant in plain(argument)
        ]
    return [kind]


def members_of(model):
    """Names on the wire with the fields."""
    return [(field.alias or name, field) for name, field in model.model_fields.items()]


def example(kind, full):
    """A value of the type: with every member, or with the least."""
    kind = plain(kind)[0]
    if is_model(kind):
        return example_of_model(kind, full)
    if is_enum(kind):
        return list(kind)[0].value
    origin = typing.get_origin(kind)
    if origin is list:
        return [example(typing.get_args(kind)[0], full)] if full else []
    if origin is dict:
        return {"key": example(typing.get_args(kind)[1], full)} if full else {}
    if origin is set:
        return ["one", "two"]
    return {str: "text", int: 3, float: 2.5, bool: True, datetime: TIMES[0], typing.Any: {"any": [1, None]}}[kind]


def example_of_model(model, full):
    document = {} if full else filled_in(model)
    for name, field in members_of(model):
        if full or field.is_required():
            value = example(field.annotation, full)
            if not field.is_required() and field.default is not None and not isinstance(field.default, (list, set)):
                value = field.default
            document[name] = value
    if full and "actual_instance" in document:
        document["actual_instance"] = "text"
        document["anyof_schema_1_validator"] = None
    return document


@functools.cache
def filled_in(model):
    """What the model makes up for members that are absent: it belongs to the least document, or every case is about it."""
    document = {name: example(field.annotation, False) for name, field in members_of(model) if field.is_required()}
    try:
        instance = model.model_validate(document)
    except ValidationError:
        return {}
    written = json.loads(instance.model_dump_json(by_alias=True))
    return {
        name: written[name]
        for name, field in members_of(model)
        if name not in document and written[name] is not None and field.default is None
    }


def variations(kind, full):
    """Values that the type may or may not take, each with the model and field that it is about and what it is."""
    for variant in plain(kind):
        origin = typing.get_origin(variant)
        if is_model(variant):
            yield from variations_of_model(variant, full)
        elif is_enum(variant):
            for member in variant:
                yield None, f"the value {member.value}", member.value
        elif variant is datetime:
            for time in TIMES:
                yield None, f"the time {time}", time
        elif origin is list:
            inner = typing.get_args(variant)[0]
            for what, case, value in variations(inner, full):
                yield what, case, [value]
            for case, value in OF_EACH_TYPE.items():
                yield None, f"a list of {case}", [value]
        elif origin is dict:
            inner = typing.get_args(variant)[1]
            for what, case, value in variations(inner, full):
                yield what, case, {"key": value}
            for case, value in OF_EACH_TYPE.items():
                yield None, f"an object of {case}", {"key": value}


def variations_of_model(model, full):
    name = model.__name__
    least = example_of_model(model, full=False)
    most = example_of_model(model, full=True)
    yield name, "with the least", least
    if full:
        yield name, "with everything", most
    yield name, "with an unknown member", {**least, "not_in_the_model": {"some": ["value"]}}
    for member, field in members_of(model):
        here = f"{name}.{member}"
        without = {key: value for key, value in most.items() if key != member}
        yield here, "absent", without if full else {k: v for k, v in least.items() if k != member}
        for case, value in OF_EACH_TYPE.items():
            yield here, case, {**least, member: value}
        if full and field.alias:
            by_name = next(key for key, value in model.model_fields.items() if value is field)
            yield here, "by the name in Python", {**without, by_name: most[member]}
        if full and is_model(plain(field.annotation)[0]):
            of_members = list(example(field.annotation, True).values())
            yield here, "a list of its members", {**least, member: of_members}
        for what, case, value in variations(field.annotation, full):
            yield what or here, case, {**least, member: value}


def cases():
    for name, model in MODELS.items():
        if name in WRAPPERS:
            continue
        for what, case, value in variations_of_model(model, full=True):
            yield name, what, case, value
    for name, members in ENUMS.items():
        for member in members:
            yield name, name, f"the value {member.value}", member.value
        for case, value in OF_EACH_TYPE.items():
            yield name, name, case, value


#: Classes that hold one of several models, which the reference itself never uses in a model.
WRAPPERS = {
    name
    for name, model in MODELS.items()
    if "actual_instance" in model.model_fields and name != "ActivityRecordActivityType"
}


# -- what the reference makes of a document ---------------------------------------------------------------------------


def canonical(value):
    """A set has no order in Python."""
    if isinstance(value, dict):
        return {
            key: sorted(member) if key == "any_of_schemas" else canonical(member) for key, member in value.items()
        }
    return [canonical(item) for item in value] if isinstance(value, list) else value


@functools.cache
def reader(name):
    return TypeAdapter(MODELS.get(name) or ENUMS[name])


def read(model, text):
    """The document as the reference writes it after reading it, and why it does not read it."""
    try:
        instance = reader(model).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return None, f"{place}: {first['msg']}"
    return canonical(json.loads(reader(model).dump_json(instance, by_alias=True))), None


def write(line):
    sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdin.reconfigure(encoding="utf-8")
    match sys.argv[1]:
        case "schemas":
            write(schemas())
        case "cases":
            seen = set()
            for model, what, case, value in cases():
                text = json.dumps(value, ensure_ascii=False)
                if (model, what, case, text) in seen:
                    continue
                seen.add((model, what, case, text))
                answer, why = read(model, text)
                write({"model": model, "what": what, "case": case, "document": text, "answer": answer, "why": why})
        case "check":
            for line in sys.stdin:
                question = json.loads(line)
                answer, why = read(question["model"], question["document"])
                write({"answer": answer, "why": why})


main()
