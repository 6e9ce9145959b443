"""Makes wheels from what is installed where this runs, by the RECORD of each: the archives that they came from are gone,
their files are not. Prints a JSON list of what it made."""

import base64
import hashlib
import importlib.metadata
import json
import os
import sys
import zipfile

# What an installer adds.
ADDED = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
LARGEST = 16 << 20


def members(dist, info):
    """Each file of a distribution: where it is in the wheel, and its bytes."""
    data = info[: -len(".dist-info")] + ".data/"
    scripts = {"bin/" + one.name for one in dist.entry_points if one.group.endswith("_scripts")}
    for file in dist.files:
        path, parts = str(file), file.parts
        if path.endswith(".pyc") or (parts[0] == info and len(parts) == 2 and parts[1] in ADDED):
            continue
        if parts[0] == "..":
            outside = "/".join(part for part in parts if part != "..")
            if outside in scripts:
                continue
            path = data + ("scripts/" + parts[-1] if outside.startswith("bin/") else "data/" + outside)
        yield path, file.locate().read_bytes()


def name_of(dist, info):
    tags = [line.split(":")[1].strip() for line in dist.read_text("WHEEL").splitlines() if line.startswith("Tag:")]
    columns = zip(*(tag.split("-") for tag in tags))
    return info[: -len(".dist-info")] + "-" + "-".join(".".join(sorted(set(column))) for column in columns) + ".whl"


def repack(dist, folder):
    info = next(file.parts[0] for file in dist.files if file.parts[0].endswith(".dist-info"))
    found = dict(members(dist, info))
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record = [f"{quoted(path)},sha256={digest(data)},{len(data)}\n" for path, data in found.items()]
    found[info + "/RECORD"] = ("".join(record) + info + "/RECORD,,\n").encode()
    path = os.path.join(folder, name_of(dist, info))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in found.items():
            archive.writestr(name, data)
    with open(path, "rb") as made:
        whole = made.read()
    return {
        "name": dist.metadata["Name"].lower().replace("_", "-").replace(".", "-"),
        "version": dist.version,
        "file": os.path.basename(path),
        "sha256": hashlib.sha256(whole).hexdigest(),
        "python": dist.metadata["Requires-Python"],
        "metadata": hashlib.sha256(found[info + "/METADATA"]).hexdigest(),
    }


def quoted(path):
    return f'"{path}"' if "," in path else path


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    made = []
    for dist in importlib.metadata.distributions():
        known = dist.files is not None and dist.read_text("WHEEL")
        if known and sum(file.size or 0 for file in dist.files) <= LARGEST:
            made.append(repack(dist, sys.argv[1]))
    print(json.dumps(made))
