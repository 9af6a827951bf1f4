"""Eight producers over a restart of the node: python restart.py LIBRARY HOST:PORT NAME. They publish with the library's
defaults, say "begun" when each has been acknowledged, "more" when each has sent further messages, and go on until all is
acknowledged. All that was acknowledged must be in the topic. Prints one line at the end."""
import asyncio, sys, time
library, kafka, name = sys.argv[1:]
TOPIC, PRODUCERS, EACH, PAUSE = "tradewind.stock.commands", 8, 30, 0.1
DEADLINE = time.monotonic() + 90
values = [[f"{name}-{producer}-{n}".encode() for n in range(EACH)] for producer in range(PRODUCERS)]
acknowledged, failed = [[] for _ in range(PRODUCERS)], []

def say(word): print(word, flush=True)
def in_time(): assert time.monotonic() < DEADLINE, ([len(one) for one in acknowledged], failed[:3])
def have_begun(): return all(acknowledged)
def note(producer, value, error):
    if error: failed.append(error)
    else: acknowledged[producer].append(value)

def told(n):
    """What is said after the n-th messages; the first are followed by a wait."""
    if n == 0: say("begun")
    if n == EACH // 2: say("more")

def confluent():
    from confluent_kafka import Producer
    producers = [Producer({"bootstrap.servers": kafka, "enable.idempotence": True}) for _ in range(PRODUCERS)]
    for n in range(EACH):
        for number, producer in enumerate(producers):
            value = values[number][n]
            producer.produce(TOPIC, key=value, value=value, on_delivery=lambda error, _, number=number, value=value: note(number, value, error))
        while n == 0 and not have_begun():
            in_time()
            for producer in producers: producer.poll(PAUSE)
        told(n)
        for producer in producers: producer.poll(PAUSE / PRODUCERS)
    while sum(map(len, acknowledged)) + len(failed) < PRODUCERS * EACH:
        in_time()
        for producer in producers: producer.poll(PAUSE)

def python():
    from kafka import KafkaProducer
    producers = [KafkaProducer(bootstrap_servers=kafka) for _ in range(PRODUCERS)]
    for n in range(EACH):
        for number, producer in enumerate(producers):
            value = values[number][n]
            future = producer.send(TOPIC, key=value, value=value)
            future.add_callback(lambda _, number=number, value=value: note(number, value, None))
            future.add_errback(lambda error: note(0, None, error))
        while n == 0 and not have_begun(): in_time(); time.sleep(PAUSE)
        told(n)
        time.sleep(PAUSE)
    while sum(map(len, acknowledged)) + len(failed) < PRODUCERS * EACH: in_time(); time.sleep(PAUSE)
    for producer in producers: producer.close(5)

async def aio():
    from aiokafka import AIOKafkaProducer
    producers = [AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) for _ in range(PRODUCERS)]
    for producer in producers: await producer.start()
    async def publish(number, producer):
        sent = []
        for n, value in enumerate(values[number]):
            future = await producer.send(TOPIC, key=value, value=value)
            future.add_done_callback(lambda future, value=value: note(number, value, future.exception()))
            sent.append(future)
            while n == 0 and not have_begun(): in_time(); await asyncio.sleep(PAUSE)
            if number == 0: told(n)
            await asyncio.sleep(PAUSE)
        await asyncio.wait(sent, timeout=60)
    await asyncio.gather(*(publish(number, producer) for number, producer in enumerate(producers)))
    for producer in producers: await producer.stop()

if library == "confluent-kafka": confluent()
elif library == "kafka-python": python()
elif library == "aiokafka": asyncio.run(aio())
else: sys.exit(f"no client is called {library}")
assert not failed, (len(failed), failed[:3])
assert [sorted(one) for one in acknowledged] == [sorted(one) for one in values], [len(one) for one in acknowledged]

from confluent_kafka import Consumer, TopicPartition
consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"{name}-check", "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(8)])
missing = {value for one in values for value in one}
while missing:
    in_time()
    message = consumer.poll(0.2)
    if message and not message.error(): missing.discard(message.value())
consumer.close()
say("all well")
