//! The shop at work: a queue of what happens when, and everything that takes part in it.

pub(crate) mod courier;
mod noise;
pub(crate) mod order;
mod steps;
pub(crate) mod stock;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::config::{Amount, ShopConfig};
use crate::dice::{Dice, Purpose};
use crate::journal::Journal;
use crate::services::inventory;
use crate::simulation::courier::{COURIERS, Courier};
use crate::simulation::noise::Noise;
use crate::simulation::order::{FIRST_ORDER, Order};
use crate::simulation::steps::Step;
use crate::simulation::stock::{ITEMS, Item};
use crate::summary::Trouble;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// Percent of the average rate at which orders come in each hour of the day.
const RUSH: [i64; 24] = [
    30, 20, 15, 15, 20, 30, 50, 80, 110, 130, 140, 140, 150, 140, 130, 130, 130, 140, 150, 160,
    160, 140, 110, 80,
];

pub(crate) struct Simulation<'a> {
    pub(crate) journal: Journal<'a>,
    dice: Dice,
    noise: Noise,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    /// The shop's time in nanoseconds.
    now: i64,
    items: Vec<Item>,
    couriers: Vec<Courier>,
    orders_placed: u64,
    orders_wanted: u64,
    orders_open: u64,
    shipments: u32,
    first_order: u32,
    is_new: bool,
    nanos_between_orders: i64,
    noise_only: bool,
    pub(crate) trouble: Option<Trouble>,
}

enum Task {
    PlaceOrder,
    Order(Box<Order>, Step),
    ListItem(usize),
    Replenish(usize),
    EditItem,
    RelistItem(usize),
    Courier(usize),
}

struct Scheduled {
    at: i64,
    /// Keeps tasks of the same moment in the order in which they were scheduled.
    order: u64,
    task: Task,
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(config: &ShopConfig, journal: Journal<'a>) -> Simulation<'a> {
        let mut dice = Dice::new(config.seed, Purpose::Orders);
        let mut simulation = Simulation {
            journal,
            noise: Noise::new(config.seed),
            queue: BinaryHeap::new(),
            scheduled: 0,
            now: config.start.nanos(),
            items: (1..=ITEMS).map(|number| Item::random(number, &mut dice)).collect(),
            couriers: (1..=COURIERS).map(Courier::new).collect(),
            dice,
            orders_placed: 0,
            orders_wanted: match config.amount {
                Amount::Orders(orders) => orders,
                Amount::Lines(_) => u64::MAX,
            },
            orders_open: 0,
            shipments: config.orders_before,
            first_order: FIRST_ORDER.saturating_add(config.orders_before),
            is_new: config.orders_before == 0,
            nanos_between_orders: HOUR / i64::from(config.orders_per_hour),
            noise_only: config.matching_share == 0.0,
            trouble: None,
        };
        simulation.open();
        simulation
    }

    /// Schedules what is there from the start.
    fn open(&mut self) {
        // A shop that was open before has listed its items.
        let listed = if self.is_new { self.items.len() } else { 0 };
        for item in 0..listed {
            self.schedule(item as i64 * SECOND / 20, Task::ListItem(item));
        }
        for courier in 0..self.couriers.len() {
            let seconds = self.dice.between(10, 300);
            self.schedule(seconds * SECOND, Task::Courier(courier));
        }
        self.schedule(600 * SECOND, Task::EditItem);
        self.schedule(13 * SECOND, Task::PlaceOrder);
    }

    /// Works until enough lines are written or enough orders are done.
    pub(crate) fn run(&mut self) {
        while self.journal.is_open() && !self.is_done() {
            if self.noise_only || self.journal.owes_noise() {
                self.make_noise();
                continue;
            }
            let Some(Reverse(next)) = self.queue.pop() else { return };
            self.now = next.at;
            self.journal.advance(next.at);
            self.perform(next.task);
        }
    }

    pub(crate) fn orders_placed(&self) -> u64 {
        self.orders_placed
    }

    fn is_done(&self) -> bool {
        self.orders_placed >= self.orders_wanted && self.orders_open == 0
    }

    fn make_noise(&mut self) {
        if self.noise_only {
            self.now += SECOND / 20;
            self.journal.advance(self.now);
        }
        let newest = self.first_order + (self.orders_placed.saturating_sub(1)) as u32;
        self.noise.make(&mut self.journal, newest);
    }

    fn schedule(&mut self, delay: i64, task: Task) {
        self.scheduled += 1;
        let at = self.now.saturating_add(delay);
        self.queue.push(Reverse(Scheduled { at, order: self.scheduled, task }));
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::PlaceOrder => self.place_order(),
            Task::Order(order, step) => self.go_on(order, step),
            Task::ListItem(item) => inventory::item_listed(&mut self.journal, &self.items[item]),
            Task::Replenish(item) => self.items[item].replenish(&mut self.journal, &mut self.dice),
            Task::EditItem => self.edit_item(),
            Task::RelistItem(item) => {
                inventory::item_relisted(&mut self.journal, &self.items[item]);
            }
            Task::Courier(courier) => {
                self.couriers[courier].report(&mut self.journal, &mut self.dice);
                let seconds = self.dice.between(60, 900);
                self.schedule(seconds * SECOND, Task::Courier(courier));
            }
        }
    }

    fn edit_item(&mut self) {
        let item = self.dice.below(ITEMS) as usize;
        if self.items[item].edit(&mut self.journal, &mut self.dice) {
            let hours = self.dice.between(1, 4);
            self.schedule(hours * HOUR, Task::RelistItem(item));
        }
        let seconds = self.dice.between(60, 600);
        self.schedule(seconds * SECOND, Task::EditItem);
    }

    fn place_order(&mut self) {
        if self.orders_placed >= self.orders_wanted {
            return;
        }
        let number = self.first_order + self.orders_placed as u32;
        self.orders_placed += 1;
        self.orders_open += 1;
        let order = Order::place(number, self.now, &self.items, &mut self.dice);
        self.go_on(Box::new(order), Step::Place);
        let hour = self.now.div_euclid(HOUR).rem_euclid(24) as usize;
        let average = self.nanos_between_orders * 100 / RUSH[hour];
        let pause = self.dice.between(0, 2 * average);
        self.schedule(pause, Task::PlaceOrder);
    }

    fn go_on(&mut self, mut order: Box<Order>, step: Step) {
        match self.take_step(&mut order, step) {
            Some(next) => self.schedule(next.delay, Task::Order(order, next.step)),
            None => {
                self.orders_open -= 1;
                self.journal.retire(order.entity());
                self.journal.retire(order.payment());
                self.journal.retire(order.shipment());
            }
        }
    }

    /// Sees to it that more pieces come, and says when.
    fn order_more(&mut self, item: usize) -> i64 {
        if let Some(at) = self.items[item].replenished_at {
            return at;
        }
        let delay = self.dice.between(15 * 60, 50 * 60) * SECOND;
        self.items[item].replenished_at = Some(self.now + delay);
        self.schedule(delay, Task::Replenish(item));
        self.now + delay
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Scheduled) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Scheduled) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Scheduled) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
