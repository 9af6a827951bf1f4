// What kafkajs must be able to do at the listener: node main.js HOST:PORT NAME. It publishes, reads it back in a group,
// commits, and a second member of the group continues where the first was; and so does a third, after a restart of the node
// over which it has published. Says "begun" when the node may be stopped, "more" when it may be started again, and "all
// well" at the end.
const assert = require("node:assert/strict");
const { setTimeout: pause } = require("node:timers/promises");
const { ConfigResourceTypes, Kafka, logLevel } = require("kafkajs");

const [address, name] = process.argv.slice(2);
const TOPIC = "tradewind.stock.commands", VIEW = "tradewind.views.stock", MESSAGES = 20;
const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 30, maxRetryTime: 1000 } });
const value = (n) => `${name}-${n}`;
setTimeout(() => { console.error("it takes too long"); process.exit(1); }, 90_000).unref();

async function publish(from, published) {
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  for (let n = from; n < from + MESSAGES; n++) {
    await producer.send({ topic: TOPIC, messages: [{ key: value(n), value: value(n) }] });
    await published(n - from);
  }
  await producer.disconnect();
}

async function overARestart(from) {
  await publish(from, async (n) => {
    if (n === 0) {
      console.log("begun");
      pause(500).then(() => console.log("more"));
    }
    await pause(100);
  });
}

// Takes, in a group, the values from that one on, and none before it.
async function read(from) {
  const consumer = kafka.consumer({ groupId: name });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  const missing = new Set(Array.from({ length: MESSAGES }, (_, n) => value(from + n)));
  const next = new Map();
  await new Promise((done, failed) => {
    const eachMessage = async ({ partition, message }) => {
      const found = message.value.toString();
      next.set(partition, (BigInt(message.offset) + 1n).toString());
      // The topic has the values of others too.
      if (!found.startsWith(`${name}-`)) return;
      if (Number(found.slice(name.length + 1)) < from) failed(new Error(`${found} comes again, though it is committed`));
      missing.delete(found);
      if (missing.size === 0) done();
    };
    consumer.run({ autoCommit: false, eachMessage }).catch(failed);
  });
  await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic: TOPIC, partition, offset })));
  await consumer.disconnect();
}

// Lists topics, their settings, where they end and what the group has committed; and may make no topic.
async function administer() {
  const admin = kafka.admin();
  await admin.connect();
  const topics = await admin.listTopics();
  assert(topics.includes(TOPIC) && topics.includes(VIEW), topics.join());
  const asked = [{ type: ConfigResourceTypes.TOPIC, name: VIEW }];
  const { resources } = await admin.describeConfigs({ resources: asked, includeSynonyms: false });
  const policy = resources[0].configEntries.find((entry) => entry.configName === "cleanup.policy");
  assert.deepEqual([policy.configValue, policy.configSource], ["compact", 1]);
  const ends = new Map((await admin.fetchTopicOffsets(TOPIC)).map(({ partition, offset }) => [partition, offset]));
  const [{ partitions }] = await admin.fetchOffsets({ groupId: name, topics: [TOPIC] });
  for (const { partition, offset } of partitions) {
    // Nothing is committed where nothing is.
    assert.equal(offset === "-1" ? "0" : offset, ends.get(partition), `partition ${partition}`);
  }
  assert([...ends.values()].reduce((sum, end) => sum + Number(end), 0) >= 3 * MESSAGES);
  const { groups } = await admin.describeGroups([name]);
  assert.equal(groups[0].state, "Empty");
  const refused = ({ errors }) => errors[0].type === "POLICY_VIOLATION";
  await assert.rejects(admin.createTopics({ topics: [{ topic: "mine", numPartitions: 1 }] }), refused);
  await admin.disconnect();
}

async function main() {
  for (let part = 0; part < 2; part++) {
    await publish(part * MESSAGES, async () => {});
    await read(part * MESSAGES);
  }
  await overARestart(2 * MESSAGES);
  await read(2 * MESSAGES);
  await administer();
  console.log("all well");
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
