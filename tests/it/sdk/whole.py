"""What a program with docker-py does in a day, against DOCKER_HOST."""

import io
import tarfile

import docker

client = docker.from_env()
assert client.ping()
assert b"hello\n" == client.containers.run("busybox", "echo hello", remove=True)
try:
    client.containers.run("busybox", "sh -c 'exit 3'", remove=True)
    raise SystemExit("a failing container did not fail")
except docker.errors.ContainerError as error:
    assert error.exit_status == 3

web = client.containers.run(
    "busybox", "sh -c 'echo started; exec sleep 600'", name="py-web", detach=True,
    labels={"made-by": "py"}, stop_signal="KILL",
)
assert [c.name for c in client.containers.list(filters={"label": "made-by=py"})] == ["py-web"]
code, out = web.exec_run("sh -c 'echo inside; exit 4'")
assert (code, out) == (4, b"inside\n"), (code, out)
sock = web.exec_run("cat", stdin=True, socket=True, tty=True).output
sock._sock.sendall(b"through\n")
assert b"through" in sock.read(9)
sock.close()

packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w") as tar:
    entry = tarfile.TarInfo("note.txt")
    entry.size = 5
    tar.addfile(entry, io.BytesIO(b"12345"))
assert web.put_archive("/tmp", packed.getvalue())
stream, stat = web.get_archive("/tmp/note.txt")
assert stat["size"] == 5, stat
with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
    assert tar.extractfile("note.txt").read() == b"12345"

assert b"started\n" == web.logs()
web.rename("py-web-2")
web.reload()
assert web.name == "py-web-2"
assert web.attrs["Node"]["Name"] == web.labels["com.docker.swarm.node.name"]
web.stop()
assert web.wait()["StatusCode"] == 137
web.remove()
try:
    client.containers.get("py-web-2")
    raise SystemExit("a removed container is still there")
except docker.errors.NotFound:
    pass
assert "busybox:latest" in client.images.get("busybox").tags
print("all well")
