//! The lines of the Online Retail file, in the order of the file. Not for what they mean: see `mapping`.

use crate::importers::parquet_file::{ParquetFile, TextId, Texts};
use anyhow::Result;
use dataflows::contract::time::Timestamp;
use std::path::Path;

/// A line of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    /// Its number in the file.
    pub seq: i64,
    /// The invoice's number.
    pub invoice: TextId,
    /// The goods, as written.
    pub code: TextId,
    /// Their name on this line.
    pub description: Option<TextId>,
    /// The number of units; below zero for goods that come back.
    pub quantity: i64,
    /// The time.
    pub at: Timestamp,
    /// Ten-thousandths of a pound for one.
    pub unit_price: i64,
    /// The customer.
    pub customer: Option<i64>,
    /// The customer's country.
    pub country: TextId,
}

/// All lines, and the texts that they name.
#[derive(Debug, Default)]
pub struct Rows {
    /// In the order of the file.
    pub lines: Vec<InvoiceLine>,
    /// Numbers, codes, descriptions and countries.
    pub texts: Texts,
}

impl Rows {
    /// Reads the whole file: about 40 MB for its half a million lines.
    pub fn read(path: &Path) -> Result<Rows> {
        let file = ParquetFile::open(path)?;
        let mut rows = Rows::default();
        for group in 0..file.groups() {
            rows.read_group(&file, group)?;
        }
        Ok(rows)
    }

    fn read_group(&mut self, file: &ParquetFile, group: usize) -> Result<()> {
        let seq = file.all_there("seq", file.integers(group, "seq")?)?;
        let invoice = file.all_there("invoice_no", file.texts(group, "invoice_no", &mut self.texts)?)?;
        let code = file.all_there("stock_code", file.texts(group, "stock_code", &mut self.texts)?)?;
        let description = file.texts(group, "description", &mut self.texts)?;
        let quantity = file.all_there("quantity", file.integers(group, "quantity")?)?;
        let at = file.all_there("invoice_date", file.micros(group, "invoice_date")?)?;
        let unit_price = file.all_there("unit_price", file.ten_thousandths(group, "unit_price")?)?;
        let customer = file.integers(group, "customer_id")?;
        let country = file.all_there("country", file.texts(group, "country", &mut self.texts)?)?;
        self.lines.reserve(seq.len());
        for n in 0..seq.len() {
            self.lines.push(InvoiceLine {
                seq: seq[n],
                invoice: invoice[n],
                code: code[n],
                description: description[n],
                quantity: quantity[n],
                at: Timestamp::from_micros(at[n]),
                unit_price: unit_price[n],
                customer: customer[n],
                country: country[n],
            });
        }
        Ok(())
    }
}
