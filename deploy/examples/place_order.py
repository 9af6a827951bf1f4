"""Places an order and prints what was decided: python place_order.py HOST:PORT ORDER_ID SKU (needs confluent-kafka)."""
import json, sys, confluent_kafka as kafka

brokers, order_id, sku = sys.argv[1:]
order = {"order_id": order_id, "currency": "GBP", "country": "GB", "lines": [{"sku": sku, "quantity": 1}], "payment": {"method": "settled"}}
headers = {"ce_specversion": "1.0", "ce_id": f"place-{order_id}", "ce_type": "tradewind.PlaceOrder.v1", "ce_source": "/examples", "content-type": "application/json"}
producer = kafka.Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
producer.produce("tradewind.orders.commands", json.dumps(order), order_id, headers=headers)
producer.flush()
consumer = kafka.Consumer({"bootstrap.servers": brokers, "group.id": f"example-{order_id}", "auto.offset.reset": "earliest"})
consumer.subscribe(["tradewind.orders.events"])
event = next(event for event in iter(lambda: consumer.poll(60), None) if event.key() == order_id.encode())
print(dict(event.headers())["ce_type"].decode(), event.value().decode())
