"""Makes wheels and source distributions from a description in JSON, without any build tool. A source distribution has
this file in it, as the tool that builds it."""

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))


def metadata(said):
    lines = ["Metadata-Version: 2.1", "Name: " + said["name"], "Version: " + said["version"], "Summary: <greets> & more"]
    lines += ["Requires-Python: " + said["python"]] if "python" in said else []
    lines += ["Requires-Dist: " + one for one in said.get("requires", [])]
    return "\n".join(lines) + "\n\nA demonstration.\n"


def stem(said):
    return said["name"].replace("-", "_").replace(".", "_") + "-" + said["version"]


def content(said):
    module = said["name"].replace("-", "_").replace(".", "_").lower()
    files = {module + "/__init__.py": said.get("text", "def greet():\n    return 42\n").encode()}
    if "native" in said:
        with open(said["native"], "rb") as library:
            files[module + "/answer.so"] = library.read()
    return files


def wheel(said, folder):
    tag = said.get("tag", "py3-none-any")
    info = stem(said) + ".dist-info"
    files = content(said)
    files[info + "/METADATA"] = metadata(said).encode()
    pure = "false" if "native" in said else "true"
    files[info + "/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: pack\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in files.items())
    files[info + "/RECORD"] = (record + info + "/RECORD,,\n").encode()
    name = f"{stem(said)}-{tag}.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return name


def sdist(said, folder):
    name = stem(said) + ".tar.gz"
    with open(os.path.abspath(__file__), "rb") as own:
        files = {"PKG-INFO": metadata(said).encode(), "pack.py": own.read(), "said.json": json.dumps(said).encode()}
    files["pyproject.toml"] = b'[build-system]\nrequires = []\nbuild-backend = "pack"\nbackend-path = ["."]\n'
    with tarfile.open(os.path.join(folder, name), "w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(stem(said) + "/" + path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return name


def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open(os.path.join(HERE, "said.json")) as said:
        return wheel(json.load(said), folder)


if __name__ == "__main__":
    kind, said, folder = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    os.makedirs(folder, exist_ok=True)
    print({"wheel": wheel, "sdist": sdist}[kind](said, folder))
