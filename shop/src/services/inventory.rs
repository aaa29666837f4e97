//! The inventory service: logfmt.

use crate::fleet::Service;
use crate::journal::{Journal, flag, int, number, text, unset};
use crate::kind::LineKind;
use crate::simulation::order::Order;
use crate::simulation::stock::Item;
use crate::text::{Hundredths, LineText, Quoted};

pub(crate) fn item_listed(journal: &mut Journal<'_>, item: &Item) {
    let price = Hundredths(item.price_cents);
    journal.write(Service::Inventory, LineKind::ItemListed, |line| {
        begin(line, "info", "item listed");
        write!(
            line,
            " sku={} name={} price={price} available={}",
            item.entity,
            Quoted(&item.name),
            item.available
        );
    });
    journal.change(
        item.entity,
        &[
            text("name", &item.name),
            number("price", price.number()),
            int("available", item.available),
            int("reserved", 0),
            flag("discontinued", false),
        ],
    );
}

pub(crate) fn stock_reserved(journal: &mut Journal<'_>, item: &Item, order: &Order, pieces: i64) {
    journal.write(Service::Inventory, LineKind::StockReserved, |line| {
        begin(line, "info", "stock reserved");
        write_stock(line, item, order, pieces);
        write!(line, " warehouse={}", order.warehouse);
    });
    change_stock(journal, item);
    journal.change(order.entity(), &[text("warehouse", order.warehouse)]);
}

pub(crate) fn stock_released(journal: &mut Journal<'_>, item: &Item, order: &Order, pieces: i64) {
    journal.write(Service::Inventory, LineKind::StockReleased, |line| {
        begin(line, "info", "stock released");
        write_stock(line, item, order, pieces);
    });
    change_stock(journal, item);
}

fn write_stock(line: &mut LineText, item: &Item, order: &Order, pieces: i64) {
    write!(
        line,
        " sku={} qty={pieces} available={} reserved={} order={}",
        item.entity,
        item.available,
        item.reserved,
        order.entity()
    );
}

fn change_stock(journal: &mut Journal<'_>, item: &Item) {
    journal
        .change(item.entity, &[int("available", item.available), int("reserved", item.reserved)]);
}

pub(crate) fn stock_picked(journal: &mut Journal<'_>, item: &Item, order: &Order, pieces: i64) {
    journal.write(Service::Inventory, LineKind::StockPicked, |line| {
        begin(line, "info", "stock picked");
        write!(
            line,
            " sku={} qty={pieces} reserved={} order={}",
            item.entity,
            item.reserved,
            order.entity()
        );
    });
    journal.change(item.entity, &[int("reserved", item.reserved)]);
}

pub(crate) fn stock_short(journal: &mut Journal<'_>, item: &Item, order: &Order, wanted: i64) {
    journal.write(Service::Inventory, LineKind::StockShort, |line| {
        begin(line, "warn", "out of stock");
        write!(
            line,
            " sku={} wanted={wanted} available={} order={}",
            item.entity,
            item.available,
            order.entity()
        );
    });
    journal.change(item.entity, &[flag("low", true), int("available", item.available)]);
    journal.change(
        order.entity(),
        &[
            text("status", "waiting-for-stock"),
            text("problem", &format!("out of stock: {}", item.entity)),
        ],
    );
}

pub(crate) fn stock_low(journal: &mut Journal<'_>, item: &Item, threshold: i64) {
    journal.write(Service::Inventory, LineKind::StockLow, |line| {
        begin(line, "warn", "stock low");
        write!(line, " sku={} available={} threshold={threshold}", item.entity, item.available);
    });
    journal.change(item.entity, &[flag("low", true)]);
}

pub(crate) fn stock_replenished(
    journal: &mut Journal<'_>,
    item: &Item,
    pieces: i64,
    supplier: &str,
) {
    journal.write(Service::Inventory, LineKind::StockReplenished, |line| {
        begin(line, "info", "stock replenished");
        write!(
            line,
            " sku={} qty={pieces} available={} supplier={}",
            item.entity,
            item.available,
            Quoted(supplier)
        );
    });
    journal.change(
        item.entity,
        &[int("available", item.available), text("supplier", supplier), unset("low")],
    );
}

pub(crate) fn price_changed(journal: &mut Journal<'_>, item: &Item, old: Hundredths) {
    let price = Hundredths(item.price_cents);
    journal.write(Service::Inventory, LineKind::PriceChanged, |line| {
        begin(line, "info", "price changed");
        write!(line, " sku={} old={old} new={price} user=pricing-bot", item.entity);
    });
    journal.change(item.entity, &[number("price", price.number())]);
}

pub(crate) fn item_renamed(journal: &mut Journal<'_>, item: &Item) {
    journal.write(Service::Inventory, LineKind::ItemRenamed, |line| {
        begin(line, "info", "item renamed");
        write!(line, " sku={} name={}", item.entity, Quoted(&item.name));
    });
    journal.change(item.entity, &[text("name", &item.name)]);
}

pub(crate) fn item_discontinued(journal: &mut Journal<'_>, item: &Item) {
    journal.write(Service::Inventory, LineKind::ItemDiscontinued, |line| {
        begin(line, "info", "item discontinued");
        write!(line, " sku={} email=buyer@shop.example", item.entity);
    });
    journal.change(item.entity, &[flag("discontinued", true), unset("supplier")]);
}

pub(crate) fn item_relisted(journal: &mut Journal<'_>, item: &Item) {
    journal.write(Service::Inventory, LineKind::ItemRelisted, |line| {
        begin(line, "info", "item relisted");
        write!(line, " sku={} email=buyer@shop.example", item.entity);
    });
    journal.change(item.entity, &[flag("discontinued", false)]);
}

pub(crate) fn order_packed(journal: &mut Journal<'_>, order: &Order, station: &str) {
    let weight = Hundredths(order.weight_hundredths);
    journal.write(Service::Inventory, LineKind::OrderPacked, |line| {
        begin(line, "info", "order packed");
        write!(
            line,
            " order={} parcels={} weight_kg={weight} station={}",
            order.entity(),
            order.parcels,
            Quoted(station)
        );
    });
    journal.change(
        order.entity(),
        &[
            text("status", "packed"),
            int("parcels", order.parcels),
            number("weight_kg", weight.number()),
            text("station", station),
            unset("problem"),
        ],
    );
}

/// The keys that begin every line.
pub(crate) fn begin(line: &mut LineText, level: &str, message: &str) {
    line.push("ts=");
    line.push_iso_time();
    write!(line, " level={level} caller=stock/service.go:88 msg=\"{message}\"");
}
