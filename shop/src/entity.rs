//! The entities of the shop.

use std::fmt;

use statetrail_event::EntityName;

/// The namespace of the shop's pods and entities.
pub const NAMESPACE: &str = "shop";

/// What kinds of things the shop's services act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityType {
    /// What a customer bought: `order/o-1042`.
    Order,
    /// The money for one order: `payment/p-51042`.
    Payment,
    /// The parcels of one order: `shipment/s-7012`.
    Shipment,
    /// A stock item, with a trail as long as the shop's: `item/sku-0017`.
    Item,
    /// Somebody who drives parcels around, always on the move: `courier/c-07`.
    Courier,
}

/// An entity of the shop, small enough to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopEntity {
    /// What it is.
    pub entity_type: EntityType,
    /// The number in its id.
    pub number: u32,
}

impl EntityType {
    const ALL: [EntityType; 5] = [
        EntityType::Order,
        EntityType::Payment,
        EntityType::Shipment,
        EntityType::Item,
        EntityType::Courier,
    ];

    /// The type in an entity's name.
    pub fn name(self) -> &'static str {
        match self {
            EntityType::Order => "order",
            EntityType::Payment => "payment",
            EntityType::Shipment => "shipment",
            EntityType::Item => "item",
            EntityType::Courier => "courier",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            EntityType::Order => "o-",
            EntityType::Payment => "p-",
            EntityType::Shipment => "s-",
            EntityType::Item => "sku-",
            EntityType::Courier => "c-",
        }
    }

    fn digits(self) -> usize {
        match self {
            EntityType::Order | EntityType::Payment | EntityType::Shipment => 1,
            EntityType::Item => 4,
            EntityType::Courier => 2,
        }
    }

    /// The entity of this type with that number.
    pub fn number(self, number: u32) -> ShopEntity {
        ShopEntity { entity_type: self, number }
    }
}

impl ShopEntity {
    /// The full name, such as `shop/order/o-1042`.
    pub fn name(self) -> EntityName {
        EntityName::new(NAMESPACE, self.entity_type.name(), &self.to_string())
            .expect("a type and id of the shop are short and plain")
    }

    /// The entity with that name, or `None` if the shop has none such.
    pub fn from_name(name: &EntityName) -> Option<ShopEntity> {
        let entity_type =
            EntityType::ALL.into_iter().find(|known| known.name() == name.entity_type())?;
        let number = name.id().strip_prefix(entity_type.prefix())?.parse().ok()?;
        let entity = entity_type.number(number);
        (entity.name() == *name).then_some(entity)
    }
}

/// The id alone, such as `o-1042`.
impl fmt::Display for ShopEntity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.entity_type.digits();
        write!(formatter, "{}{:0digits$}", self.entity_type.prefix(), self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_entities_belong_together() {
        for (name, entity) in [
            ("shop/order/o-1042", EntityType::Order.number(1042)),
            ("shop/item/sku-0017", EntityType::Item.number(17)),
            ("shop/courier/c-07", EntityType::Courier.number(7)),
        ] {
            assert_eq!(entity.name().as_str(), name);
            assert_eq!(ShopEntity::from_name(&name.parse().unwrap()), Some(entity));
        }
        for stranger in ["shop/item/sku-17", "other/order/o-1042", "shop/cart/k-1", "shop/order/1"]
        {
            assert_eq!(ShopEntity::from_name(&stranger.parse().unwrap()), None, "{stranger}");
        }
    }
}
