//! The meaning of the Online Retail file's lines, as commands in the order of the file, an invoice at its first line.
//! Not for reading or sending them.

use super::rows::{InvoiceLine, Rows};
use crate::importers::parquet_file::TextId;
use anyhow::{Context, Result, ensure};
use dataflows::contract::money::{Amount, MoneyInput};
use dataflows::shop::adjustments::RecordAdjustment;
use dataflows::shop::catalogue::{InventoryPolicy, PutProduct, PutVariant};
use dataflows::shop::command::Command;
use dataflows::shop::credits::{CreditLineInput, RecordCredit};
use dataflows::shop::fulfilment::ShipOrder;
use dataflows::shop::orders::{PlaceLine, PlaceOrder, PlacePayment};
use dataflows::shop::payments::PaymentMethod;
use dataflows::shop::stock::{MoveReason, MoveStock};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A command and its id, which derives from the rows, so that a second import repeats the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentifiedCommand {
    /// The command's id.
    pub id: String,
    /// The command.
    pub command: Command,
}

/// The commands of one invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoice {
    /// The number of its lines in the file.
    pub lines: usize,
    /// Its commands, new products first.
    pub commands: Vec<IdentifiedCommand>,
}

/// The facts about a stock code from the whole file.
struct Product {
    first: InvoiceLine,
    title: Option<TextId>,
}

/// Goes through the invoices in the order of their first lines.
pub struct Mapping<'a> {
    rows: &'a Rows,
    invoices: std::vec::IntoIter<Vec<usize>>,
    products: HashMap<TextId, Product>,
    put: HashSet<TextId>,
}

impl<'a> Mapping<'a> {
    /// Looks over all lines once: which belong together, and the first name of each code.
    pub fn new(rows: &'a Rows) -> Mapping<'a> {
        let mut places: HashMap<TextId, usize> = HashMap::new();
        let mut invoices: Vec<Vec<usize>> = Vec::new();
        let mut products: HashMap<TextId, Product> = HashMap::new();
        for (n, line) in rows.lines.iter().enumerate() {
            let place = *places.entry(line.invoice).or_insert(invoices.len());
            if place == invoices.len() {
                invoices.push(Vec::new());
            }
            invoices[place].push(n);
            let product = products.entry(line.code).or_insert(Product { first: *line, title: None });
            let described = line.description.filter(|description| !rows.texts.text(*description).is_empty());
            product.title = product.title.or(described);
        }
        Mapping { rows, invoices: invoices.into_iter(), products, put: HashSet::new() }
    }

    fn text(&self, id: TextId) -> &str {
        self.rows.texts.text(id)
    }

    fn invoice(&mut self, numbers: &[usize]) -> Result<Invoice> {
        let lines: Vec<InvoiceLine> = numbers.iter().map(|n| self.rows.lines[*n]).collect();
        let first = *lines.first().context("an invoice has at least one line")?;
        for line in &lines {
            ensure!(line.quantity != 0, "line {} has the quantity 0", line.seq);
        }
        let mut commands = self.new_products(&lines);
        let number = self.text(first.invoice);
        if number.starts_with('C') {
            commands.push(self.credit(&first, &lines)?);
        } else if number.starts_with('A') {
            commands.push(self.adjustment(&first, &lines)?);
            commands.extend(lines.iter().map(|line| self.movement(line)));
        } else {
            let sold: Vec<&InvoiceLine> = lines.iter().filter(|line| line.quantity > 0).collect();
            if !sold.is_empty() {
                commands.extend(self.order(&first, &sold));
            }
            commands.extend(lines.iter().filter(|line| line.quantity < 0).map(|line| self.movement(line)));
        }
        Ok(Invoice { lines: lines.len(), commands })
    }

    /// A product for each code that was not met before.
    fn new_products(&mut self, lines: &[InvoiceLine]) -> Vec<IdentifiedCommand> {
        let new: Vec<TextId> = lines.iter().map(|line| line.code).filter(|code| self.put.insert(*code)).collect();
        new.into_iter().map(|code| self.put_product(code)).collect()
    }

    fn put_product(&self, code: TextId) -> IdentifiedCommand {
        let Product { first, title } = &self.products[&code];
        let sku = self.text(code);
        let variant = PutVariant {
            sku: sku.into(),
            title: None,
            price: pounds(first.unit_price.max(0)),
            inventory_policy: InventoryPolicy::TrackOnly,
            low_stock_at: None,
        };
        let product = PutProduct {
            product_id: sku.into(),
            title: title.map_or(sku, |title| self.text(title)).into(),
            description: None,
            brand: None,
            category: Vec::new(),
            attributes: BTreeMap::new(),
            variants: vec![variant],
            occurred_at: Some(first.at),
        };
        IdentifiedCommand { id: format!("or-seq-{}-product", first.seq), command: Command::PutProduct(product) }
    }

    fn order(&self, first: &InvoiceLine, sold: &[&InvoiceLine]) -> [IdentifiedCommand; 2] {
        let number = self.text(first.invoice);
        let lines = sold.iter().map(|line| PlaceLine {
            sku: self.text(line.code).into(),
            quantity: line.quantity,
            unit_price: Some(pounds(line.unit_price)),
        });
        let place = PlaceOrder {
            order_id: Some(number.into()),
            customer_id: customer(first).map(Into::into),
            currency: "GBP".into(),
            country: self.text(first.country).into(),
            lines: lines.collect(),
            payment: PlacePayment { method: PaymentMethod::Settled, token: None },
            occurred_at: Some(first.at),
        };
        let ship = ShipOrder { order_id: number.into(), carrier: None, tracking: None, occurred_at: Some(first.at) };
        [
            IdentifiedCommand { id: format!("or-{number}-place"), command: Command::PlaceOrder(place) },
            IdentifiedCommand { id: format!("or-{number}-ship"), command: Command::ShipOrder(ship) },
        ]
    }

    fn credit(&self, first: &InvoiceLine, lines: &[InvoiceLine]) -> Result<IdentifiedCommand> {
        let number = self.text(first.invoice);
        let mut credited = Vec::with_capacity(lines.len());
        for line in lines {
            ensure!(line.quantity < 0, "line {} of credit note {number} has a quantity above 0", line.seq);
            credited.push(CreditLineInput {
                sku: self.text(line.code).into(),
                quantity: -line.quantity,
                unit_price: pounds(line.unit_price),
            });
        }
        let credit = RecordCredit {
            credit_id: number.into(),
            customer_id: customer(first).map(Into::into),
            currency: "GBP".into(),
            country: self.text(first.country).into(),
            lines: credited,
            restock: true,
            reference: Some(number.into()),
            occurred_at: Some(first.at),
        };
        Ok(IdentifiedCommand { id: format!("or-{number}-credit"), command: Command::RecordCredit(credit) })
    }

    fn adjustment(&self, first: &InvoiceLine, lines: &[InvoiceLine]) -> Result<IdentifiedCommand> {
        let number = self.text(first.invoice);
        let amount = lines
            .iter()
            .try_fold(0_i64, |sum, line| sum.checked_add(line.quantity.checked_mul(line.unit_price)?))
            .with_context(|| format!("the amount of {number} does not fit 64 bits"))?;
        let adjustment = RecordAdjustment {
            adjustment_id: number.into(),
            customer_id: customer(first).map(Into::into),
            currency: "GBP".into(),
            country: self.text(first.country).into(),
            amount: pounds(amount),
            reference: Some(number.into()),
            occurred_at: Some(first.at),
        };
        Ok(IdentifiedCommand { id: format!("or-{number}-adjust"), command: Command::RecordAdjustment(adjustment) })
    }

    /// Goods that left or came without a sale: the stock moves by the line's quantity, turned round.
    fn movement(&self, line: &InvoiceLine) -> IdentifiedCommand {
        let movement = MoveStock {
            sku: self.text(line.code).into(),
            location: "main".into(),
            quantity: -line.quantity,
            reason: MoveReason::Adjusted,
            reference: Some(self.text(line.invoice).into()),
            occurred_at: Some(line.at),
        };
        IdentifiedCommand { id: format!("or-seq-{}-move", line.seq), command: Command::MoveStock(movement) }
    }
}

impl Iterator for Mapping<'_> {
    type Item = Result<Invoice>;

    fn next(&mut self) -> Option<Result<Invoice>> {
        let numbers = self.invoices.next()?;
        Some(self.invoice(&numbers))
    }
}

fn pounds(ten_thousandths: i64) -> MoneyInput {
    MoneyInput { amount: Amount(ten_thousandths), currency: "GBP".into() }
}

fn customer(line: &InvoiceLine) -> Option<String> {
    line.customer.map(|customer| customer.to_string())
}
