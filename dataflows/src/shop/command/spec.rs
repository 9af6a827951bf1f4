//! The description of a type of command, beside its data and its rule. Not for what its data is, nor for deciding it.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use smol_str::SmolStr;

/// The method of a command's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMethod {
    /// Makes.
    Post,
    /// Puts.
    Put,
    /// Takes away.
    Delete,
}

/// A thing that commands are about, and that answers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Money without goods.
    Adjustment,
    /// A credit note.
    Credit,
    /// An order.
    Order,
    /// The settings that decisions depend on, of which there is one.
    Policy,
    /// A product.
    Product,
    /// The stock of a SKU.
    Stock,
}

impl Resource {
    /// The name of its schema.
    pub const fn schema(self) -> &'static str {
        match self {
            Resource::Adjustment => "Adjustment",
            Resource::Credit => "Credit",
            Resource::Order => "Order",
            Resource::Policy => "Policy",
            Resource::Product => "Product",
            Resource::Stock => "Stock",
        }
    }

    /// The first part of its path, below the version of the surface.
    pub const fn collection(self) -> &'static str {
        match self {
            Resource::Adjustment => "adjustments",
            Resource::Credit => "credits",
            Resource::Order => "orders",
            Resource::Policy => "policy",
            Resource::Product => "products",
            Resource::Stock => "stock",
        }
    }

    /// The name of its id; empty where there is only one.
    pub const fn id_name(self) -> &'static str {
        match self {
            Resource::Adjustment => "adjustment_id",
            Resource::Credit => "credit_id",
            Resource::Order => "order_id",
            Resource::Policy => "",
            Resource::Product => "product_id",
            Resource::Stock => "sku",
        }
    }
}

/// The description of a type of command.
#[derive(Debug)]
pub struct Description {
    /// The topic that such commands are published to.
    pub topic: Topic,
    /// The resource that it is about.
    pub resource: Resource,
    /// The name of the id of the part of it that a command names, like a payment; empty if it names none.
    pub part: &'static str,
    /// The method of its route.
    pub method: RouteMethod,
    /// The path of its route, ids in braces: `{id}` is the resource's.
    pub path: &'static str,
    /// A summary of its route, in a sentence without its full stop.
    pub summary: &'static str,
    /// True if nothing need be sent beyond the path.
    pub body_is_optional: bool,
    /// True if success makes something, and its status may be 201.
    pub creates: bool,
    /// The codes that it may be refused with, beside those that any command may: `invalid` and `command_id_reused`.
    pub rejections: &'static [Code],
}

impl Description {
    /// The ids that the path names: the field of the command, and the name in the path.
    pub fn path_ids(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let named = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let resource = self.resource;
        named.map(move |name| (if name == "id" { resource.id_name() } else { name }, name))
    }

    /// Returns true if the path names a SKU: one that is not there is 404 then.
    pub fn path_names_sku(&self) -> bool {
        self.path_ids().any(|(field, _)| field == "sku")
    }
}

/// A type of command.
pub trait CommandSpec {
    /// The description of the type.
    const DESCRIPTION: Description;

    /// The id of the resource that it is about: the key of its record.
    fn id(&self) -> &SmolStr;

    /// The id of the part that it names, if it names one.
    fn part(&self) -> Option<&SmolStr> {
        None
    }
}
