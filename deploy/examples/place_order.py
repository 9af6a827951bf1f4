"""Publishes a command and waits for what was decided: python place_order.py HOST:PORT ORDER_ID SKU (confluent-kafka)."""
import json, sys
from confluent_kafka import Consumer, Producer
kafka, order_id, sku = sys.argv[1:]
data = {"order_id": order_id, "currency": "GBP", "country": "GB", "lines": [{"sku": sku, "quantity": 1}], "payment": {"method": "settled"}}
headers = {"ce_specversion": "1.0", "ce_id": f"place-{order_id}", "ce_type": "tradewind.PlaceOrder.v1", "ce_source": "/examples", "content-type": "application/json"}
producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True})
producer.produce("tradewind.orders.commands", key=order_id, value=json.dumps(data), headers=headers)
producer.flush()
consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"example-{order_id}", "auto.offset.reset": "earliest"})
consumer.subscribe(["tradewind.orders.events"])
for _ in range(60):
    event = consumer.poll(1.0)
    if event and not event.error() and event.key().decode() == order_id and dict(event.headers())["ce_type"] in (b"tradewind.OrderCreated.v1", b"tradewind.OrderRejected.v1"):
        print(dict(event.headers())["ce_type"].decode(), json.loads(event.value())["order"]["status"] if b"Created" in dict(event.headers())["ce_type"] else json.loads(event.value())["code"])
        break
else:
    sys.exit("nothing was decided")
consumer.close()
