"""Reads {"schema": ..., "files": [YAML text, ...]} and answers with a list: null where the file fits the schema, else
what is wrong with it."""

import json
import sys

import jsonschema
import ruamel.yaml


def loader():
    yaml = ruamel.yaml.YAML(typ="safe", pure=True)
    # The core schema of YAML 1.2 knows no dates: editors see texts.
    for resolvers in yaml.resolver.versioned_resolver.values():
        resolvers[:] = [(tag, regex) for tag, regex in resolvers if not tag.endswith(":timestamp")]
    return yaml


def verdict(validator, text):
    try:
        document = loader().load(text)
    except ruamel.yaml.error.YAMLError as error:
        return f"not YAML: {error}"
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    return error and f"{error.json_path}: {error.message}"


def main():
    asked = json.load(sys.stdin)
    jsonschema.Draft202012Validator.check_schema(asked["schema"])
    validator = jsonschema.Draft202012Validator(asked["schema"])
    json.dump([verdict(validator, text) for text in asked["files"]], sys.stdout)


main()
