"""What a client library must be able to do at the listener: python clients.py LIBRARY HOST:PORT NAME. Publishes with every
codec, reads it all back by a group, commits, and goes on where it was; two members share the partitions. Prints one line."""
import asyncio, sys, time
library, kafka, name = sys.argv[1:]
TOPIC, CODECS, EACH = "tradewind.stock.commands", [None, "gzip", "snappy", "lz4", "zstd"], 40
def values(codec): return [f"{name}-{codec}-{n}".encode() for n in range(EACH)]
ALL = sorted(value for codec in CODECS for value in values(codec))
def ours(value): return value is not None and value.startswith(f"{name}-".encode())
DEADLINE = time.monotonic() + 60

def confluent():
    from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
    for codec in CODECS:
        failed = []
        producer = Producer({"bootstrap.servers": kafka, "compression.type": codec or "none", "enable.idempotence": True})
        for value in values(codec):
            producer.produce(TOPIC, key=value, value=value, headers={"h": b"1"}, on_delivery=lambda error, _: error and failed.append(error))
        assert producer.flush(30) == 0 and not failed, failed
    consumers = [Consumer({"bootstrap.servers": kafka, "group.id": name, "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 6000}) for _ in range(2)]
    found = []
    for consumer in consumers: consumer.subscribe([TOPIC])
    while len(set(found)) < len(ALL) or not all(consumer.assignment() for consumer in consumers):
        assert time.monotonic() < DEADLINE, (len(found), [len(consumer.assignment()) for consumer in consumers])
        for consumer in consumers:
            message = consumer.poll(0.05)
            if message and not message.error() and ours(message.value()): found.append(message.value()); assert message.headers() == [("h", b"1")]
    assert sorted(set(found)) == ALL
    for consumer in consumers: consumer.commit(asynchronous=False)
    for consumer in consumers: consumer.close()
    again = Consumer({"bootstrap.servers": kafka, "group.id": name})
    places = again.committed([TopicPartition(TOPIC, n) for n in range(8)], timeout=10)
    ends = [again.get_watermark_offsets(place, timeout=10)[1] for place in places]
    assert sum(max(place.offset, 0) for place in places) == sum(ends), (places, ends)
    # All topics, and those of a pattern: librdkafka asks for the metadata of all.
    listed = set(again.list_topics(timeout=10).topics)
    assert {TOPIC, "tradewind.views.stock", "tradewind.epochs"} <= listed, listed
    again.close()
    matching = Consumer({"bootstrap.servers": kafka, "group.id": f"{name}-pattern", "auto.offset.reset": "earliest"})
    matching.subscribe(["^tradewind\\..*\\.commands$"])
    while not any(place.topic == TOPIC for place in matching.assignment()):
        assert time.monotonic() < DEADLINE, matching.assignment()
        matching.poll(0.05)
    assert all(place.topic.endswith(".commands") for place in matching.assignment())
    matching.close()
    refused = []
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce("tradewind.epochs", value=b"x", on_delivery=lambda error, _: refused.append(error.code()))
    producer.flush(10)
    assert refused == [KafkaError.TOPIC_AUTHORIZATION_FAILED], refused

def python():
    from kafka import KafkaConsumer, KafkaProducer
    for codec in [None, "gzip"]:
        producer = KafkaProducer(bootstrap_servers=kafka, compression_type=codec, acks="all")
        for sent in [producer.send(TOPIC, key=value, value=value) for value in values(codec)]: sent.get(30)
        producer.close()
    expected = sorted(values(None) + values("gzip"))
    consumer = KafkaConsumer(TOPIC, bootstrap_servers=kafka, group_id=name, auto_offset_reset="earliest", enable_auto_commit=False)
    found = []
    while len(found) < len(expected):
        assert time.monotonic() < DEADLINE, len(found)
        found += [record.value for records in consumer.poll(500).values() for record in records if ours(record.value)]
    assert sorted(found) == expected
    consumer.commit()
    places = {at: consumer.committed(at) for at in consumer.assignment()}
    assert places == {at: consumer.position(at) for at in consumer.assignment()}, places
    consumer.close()

async def aio():
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, compression_type="gzip")
    await producer.start()
    for value in values("gzip"): await producer.send_and_wait(TOPIC, key=value, value=value)
    await producer.stop()
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=kafka, group_id=name, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found = []
    while len(found) < EACH:
        assert time.monotonic() < DEADLINE, len(found)
        found += [record.value for records in (await consumer.getmany(timeout_ms=500)).values() for record in records if ours(record.value)]
    assert sorted(found) == sorted(values("gzip"))
    await consumer.commit()
    await consumer.stop()

if library == "confluent-kafka": confluent()
elif library == "kafka-python": python()
elif library == "aiokafka": asyncio.run(aio())
else: sys.exit(f"no client is called {library}")
print("all well")
