// What a test suite with testcontainers does, against DOCKER_HOST: no version in its paths, bodies in the query too.
const assert = require('assert');
const { GenericContainer, Network, Wait } = require('testcontainers');

// Node.js ends quietly when nothing is left that a promise could be settled by.
let step = 'the first container';
process.on('exit', () => {
  if (step) {
    console.error(`nothing more came of ${step}`);
    process.exitCode = 1;
  }
});

async function main() {
  const page = 'mkdir /www; echo served > /www/index.html; echo ready; exec httpd -f -p 80 -h /www';
  const web = await new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', page])
    // Mapped ports are looked for at one address, so what publishes them is placed there.
    .withEnvironment({ 'constraint:node': '=node1', COLOUR: 'blue' })
    .withCopyContentToContainer([{ content: 'copied in', target: '/tmp/note' }])
    .withExposedPorts(80)
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage('ready'), Wait.forHttp('/', 80)]))
    .start();
  const answer = await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/`);
  assert.strictEqual(await answer.text(), 'served\n');
  const told = await web.exec(['sh', '-c', 'echo $COLOUR; cat /tmp/note; exit 3']);
  assert.deepStrictEqual([told.output, told.exitCode], ['blue\ncopied in', 3]);

  step = 'the network';
  const network = await new Network().start();
  step = 'the second container';
  const store = await new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', page])
    .withNetwork(network)
    .withNetworkAliases('store')
    .withWaitStrategy(Wait.forLogMessage('ready'))
    .start();
  step = 'the third container';
  const other = await new GenericContainer('busybox:latest')
    .withCommand(['sleep', '600'])
    .withNetwork(network)
    .withWaitStrategy(Wait.forSuccessfulCommand('wget -qO- http://store/'))
    .start();
  step = 'the logs';
  const logs = await web.logs();
  // The library lets a program end although it waits for logs.
  const awake = setInterval(() => {}, 1000);
  const first = await new Promise((resolve) => logs.once('data', resolve));
  clearInterval(awake);
  assert.match(first.toString(), /ready/);
  step = 'the ends';
  await other.stop({ timeout: 0 });
  await store.stop({ timeout: 0 });
  await web.stop({ timeout: 0 });
  await network.stop();

  step = 'the failing container';
  const failing = new GenericContainer('busybox:latest').withCommand(['true']).withStartupTimeout(5000)
    .withWaitStrategy(Wait.forLogMessage('never'));
  await assert.rejects(failing.start());
  step = '';
  console.log('all well');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
