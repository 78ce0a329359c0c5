// What a program with dockerode does in a day, against DOCKER_HOST: no version in its paths, attach without Upgrade.
const Docker = require('dockerode');
const assert = require('assert');
const { PassThrough } = require('stream');

const docker = new Docker();

function collect(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    stream.on('data', (part) => parts.push(part));
    stream.on('end', () => resolve(Buffer.concat(parts).toString()));
    stream.on('error', reject);
  });
}

async function attached(hijack) {
  const container = await docker.createContainer({
    Image: 'busybox', Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true,
  });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack });
  const text = new PassThrough();
  container.modem.demuxStream(stream, text, text);
  const got = collect(text);
  stream.on('end', () => text.end());
  await container.start();
  stream.write('over and back\n');
  stream.end();
  assert.strictEqual(await got, 'over and back\n', `hijack: ${hijack}`);
  assert.strictEqual((await container.wait()).StatusCode, 0);
  await container.remove();
}

async function main() {
  const output = new PassThrough();
  const printed = collect(output);
  const [data, ran] = await docker.run('busybox', ['sh', '-c', 'echo ran; exit 5'], output, { Tty: true });
  output.end();
  assert.strictEqual(data.StatusCode, 5);
  assert.match(await printed, /ran/);
  await ran.remove();

  await attached(true);

  const web = await docker.createContainer({
    Image: 'busybox', name: 'js-web', Cmd: ['sh', '-c', 'echo started; exec sleep 600'], StopSignal: 'KILL',
  });
  // Without an Upgrade: the output comes as a 200 whose connection is the stream.
  const raw = await web.attach({ stream: true, stdout: true, stderr: true });
  const text = new PassThrough();
  web.modem.demuxStream(raw, text, text);
  const first = new Promise((resolve) => text.once('data', (part) => resolve(part.toString())));
  await web.start();
  assert.strictEqual(await first, 'started\n');

  const exec = await web.exec({ Cmd: ['echo', 'inside'], AttachStdout: true, AttachStderr: true });
  const inside = await exec.start({});
  const told = new PassThrough();
  web.modem.demuxStream(inside, told, told);
  inside.on('end', () => told.end());
  assert.strictEqual(await collect(told), 'inside\n');
  assert.strictEqual((await exec.inspect()).ExitCode, 0);

  const logs = await web.logs({ stdout: true, stderr: true });
  assert.match(logs.toString(), /started/);
  const listed = await docker.listContainers({ filters: { name: ['^/js-web$'] } });
  assert.strictEqual(listed.length, 1);
  const archive = await collect(await web.getArchive({ path: '/etc/passwd' }));
  assert.match(archive, /root/);
  const again = await web.getArchive({ path: '/etc/passwd' });
  await web.putArchive(again, { path: '/tmp' });
  const back = await web.exec({ Cmd: ['cmp', '/etc/passwd', '/tmp/passwd'], AttachStdout: true, AttachStderr: true });
  const compared = await back.start({});
  compared.resume();
  await new Promise((resolve) => compared.on('end', resolve));
  assert.strictEqual((await back.inspect()).ExitCode, 0);
  await web.remove({ force: true });
  await assert.rejects(web.inspect(), (error) => error.statusCode === 404);
  // It sends the parameters as a body too.
  await docker.getImage('busybox:latest').tag({ repo: 'js-app', tag: '1' });
  await docker.getImage('js-app:1').remove({ force: true });
  await docker.pruneContainers({ filters: { label: ['none'] } });
  await docker.pruneVolumes({ filters: { label: ['none'] } });
  await assert.rejects(docker.pull('127.0.0.1:1/none:1'), (error) => error.statusCode === 500);
  console.log('all well');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
