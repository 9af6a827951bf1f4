-- Stock as it was at an epoch: the sum of all changes up to it. The same number as in `Tradewind-Epoch` and `?as_of=`.
--   SET VARIABLE epoch = 100;
SELECT key AS sku, on_hand, reserved, available
FROM stock_changes WHERE epoch <= getvariable('epoch')
GROUP BY ALL HAVING sum(diff) = 1 ORDER BY sku;
