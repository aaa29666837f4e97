//! The life of an order, step by step.

use crate::services::payment::Capture;
use crate::services::{checkout, inventory, notification, payment, shipping};
use crate::simulation::order::{Ending, Order};
use crate::simulation::stock::Reservation;
use crate::simulation::{SECOND, Simulation};
use crate::summary::Trouble;
use crate::text::Hundredths;
use crate::words;

const MINUTE: i64 = 60;

/// What happens to an order next.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Place,
    AddNote,
    /// Send the mail of that template; what comes then is kept in the order.
    Mail(&'static str),
    BounceMail,
    /// Reserve the order's line with that number, from 0.
    Reserve(usize),
    RequestPayment,
    AnswerPayment,
    RetryPayment,
    AbandonPayment,
    ClearReview,
    Capture,
    Cancel,
    ChangeAddress,
    Pack,
    CreateShipment,
    HandOver,
    Scan,
    GetStuck,
    MoveAgain,
    Deliver,
    Return,
    Refund,
    Complete,
}

pub(crate) struct Next {
    pub(crate) step: Step,
    /// In nanoseconds from now.
    pub(crate) delay: i64,
}

impl Simulation<'_> {
    /// Takes a step and says which one is next, or none when the order is done with.
    pub(crate) fn take_step(&mut self, order: &mut Order, step: Step) -> Option<Next> {
        match step {
            Step::Place => self.place(order),
            Step::AddNote => self.add_note(order),
            Step::Mail(template) => self.mail(order, template),
            Step::BounceMail => self.bounce_mail(order),
            Step::Reserve(line) => self.reserve(order, line),
            Step::RequestPayment => self.request_payment(order),
            Step::AnswerPayment => self.answer_payment(order),
            Step::RetryPayment => self.retry_payment(order),
            Step::AbandonPayment => self.abandon_payment(order),
            Step::ClearReview => self.clear_review(order),
            Step::Capture => self.capture(order),
            Step::Cancel => self.cancel(order),
            Step::ChangeAddress => self.change_address(order),
            Step::Pack => self.pack(order),
            Step::CreateShipment => self.create_shipment(order),
            Step::HandOver => self.hand_over(order),
            Step::Scan => self.scan(order),
            Step::GetStuck => self.get_stuck(order),
            Step::MoveAgain => self.move_again(order),
            Step::Deliver => self.deliver(order),
            Step::Return => self.send_back(order),
            Step::Refund => self.refund(order),
            Step::Complete => self.complete(order),
        }
    }

    /// The step comes between `low` and `high` seconds from now.
    fn after(&mut self, low: i64, high: i64, step: Step) -> Option<Next> {
        Some(Next { step, delay: self.dice.between(low * SECOND, high * SECOND) })
    }

    /// A mail is sent within seconds, and what would come next comes after it. Mails that are
    /// sent by another service at once would be logged before their cause, by a clock that is
    /// behind.
    fn mail_first(
        &mut self,
        order: &mut Order,
        template: &'static str,
        next: Option<Next>,
    ) -> Option<Next> {
        order.after_mail = next;
        self.after(1, 4, Step::Mail(template))
    }

    fn place(&mut self, order: &mut Order) -> Option<Next> {
        checkout::order_placed(&mut self.journal, order);
        if order.plan.note {
            return self.after(2, 20, Step::AddNote);
        }
        let next = self.after(1, 4, Step::Reserve(0));
        self.mail_first(order, "order-placed", next)
    }

    fn add_note(&mut self, order: &mut Order) -> Option<Next> {
        checkout::delivery_note(&mut self.journal, order, self.dice.pick(words::NOTES));
        let next = self.after(1, 4, Step::Reserve(0));
        self.mail_first(order, "order-placed", next)
    }

    fn mail(&mut self, order: &mut Order, template: &str) -> Option<Next> {
        order.mails += 1;
        notification::mail_sent(&mut self.journal, order, template);
        if order.plan.mail_bounces && order.mails == 1 {
            return self.after(1, 9, Step::BounceMail);
        }
        order.after_mail.take()
    }

    fn bounce_mail(&mut self, order: &mut Order) -> Option<Next> {
        notification::mail_bounced(&mut self.journal, order, self.dice.pick(words::BOUNCES));
        order.after_mail.take()
    }

    fn reserve(&mut self, order: &mut Order, line: usize) -> Option<Next> {
        let Some(&(item, pieces)) = order.lines.get(line) else {
            return self.after(1, 5, Step::RequestPayment);
        };
        match self.items[item].reserve(&mut self.journal, order, pieces) {
            Reservation::Done { low } => {
                if low {
                    self.order_more(item);
                }
                self.after(0, 1, Step::Reserve(line + 1))
            }
            Reservation::Short => {
                self.note_trouble(order, "out of stock");
                let wait = (self.order_more(item) - self.now) / SECOND;
                self.after(wait + 1, wait + 90, Step::Reserve(line))
            }
        }
    }

    fn request_payment(&mut self, order: &mut Order) -> Option<Next> {
        order.attempts = 1;
        payment::requested(&mut self.journal, order);
        self.after(1, 6, Step::AnswerPayment)
    }

    fn answer_payment(&mut self, order: &mut Order) -> Option<Next> {
        if order.attempts <= order.plan.declines {
            let reason = self.dice.pick(words::DECLINE_REASONS);
            payment::declined(&mut self.journal, order, reason);
            self.note_trouble(order, "payment declined");
            if order.attempts == order.plan.declines && order.plan.gives_up {
                return self.after(2, 30, Step::AbandonPayment);
            }
            return self.after(20, 5 * MINUTE, Step::RetryPayment);
        }
        if order.plan.review {
            let risk = Hundredths(self.dice.between(61, 98));
            payment::held_for_review(&mut self.journal, order, risk);
            return self.after(5 * MINUTE, 40 * MINUTE, Step::ClearReview);
        }
        self.after(0, 2, Step::Capture)
    }

    fn retry_payment(&mut self, order: &mut Order) -> Option<Next> {
        order.attempts += 1;
        order.method = self.dice.pick(words::METHODS);
        payment::retried(&mut self.journal, order);
        self.after(1, 6, Step::AnswerPayment)
    }

    fn abandon_payment(&mut self, order: &mut Order) -> Option<Next> {
        payment::abandoned(&mut self.journal, order);
        self.after(2, 30, Step::Cancel)
    }

    fn clear_review(&mut self, order: &mut Order) -> Option<Next> {
        payment::review_cleared(&mut self.journal, order, self.dice.pick(words::REVIEWERS));
        self.after(1, 5, Step::Capture)
    }

    fn capture(&mut self, order: &mut Order) -> Option<Next> {
        let capture = Capture {
            risk: Hundredths(self.dice.between(1, 60)),
            three_d_secure: self.dice.percent(70),
            answer_entries: if order.plan.long_answer { 400 } else { 0 },
        };
        payment::captured(&mut self.journal, order, &capture);
        let next = match order.plan.address_change {
            true => self.after(MINUTE, 8 * MINUTE, Step::ChangeAddress),
            false => self.after(8 * MINUTE, 40 * MINUTE, Step::Pack),
        };
        self.mail_first(order, "order-paid", next)
    }

    fn cancel(&mut self, order: &mut Order) -> Option<Next> {
        let reason = format!("payment failed after {} attempts", order.attempts);
        checkout::order_cancelled(&mut self.journal, order, &reason);
        for (item, pieces) in &order.lines {
            self.items[*item].release(&mut self.journal, order, *pieces);
        }
        self.mail_first(order, "order-cancelled", None)
    }

    fn change_address(&mut self, order: &mut Order) -> Option<Next> {
        let agent = self.dice.below(40) + 1;
        let address = self.dice.pick(words::ADDRESSES);
        checkout::address_changed(&mut self.journal, order, address, agent);
        self.after(8 * MINUTE, 40 * MINUTE, Step::Pack)
    }

    fn pack(&mut self, order: &mut Order) -> Option<Next> {
        if order.plan.note && order.plan.note_removed {
            checkout::delivery_note_removed(&mut self.journal, order);
        }
        for (item, pieces) in &order.lines {
            self.items[*item].pick(&mut self.journal, order, *pieces);
        }
        inventory::order_packed(&mut self.journal, order, self.dice.pick(words::STATIONS));
        self.after(MINUTE, 10 * MINUTE, Step::CreateShipment)
    }

    fn create_shipment(&mut self, order: &mut Order) -> Option<Next> {
        self.shipments += 1;
        order.shipment_number = 7_000 + self.shipments;
        shipping::shipment_created(&mut self.journal, order);
        self.after(20 * MINUTE, 60 * MINUTE, Step::HandOver)
    }

    fn hand_over(&mut self, order: &mut Order) -> Option<Next> {
        let courier = self.dice.below(self.couriers.len() as u32) as usize;
        let courier = self.couriers[courier].entity;
        let dock = self.dice.below(9) + 1;
        let depot = self.dice.pick(words::DEPOTS);
        shipping::handed_over(&mut self.journal, order, courier, depot, dock);
        let next = self.after(15 * MINUTE, 50 * MINUTE, Step::Scan);
        self.mail_first(order, "order-shipped", next)
    }

    fn scan(&mut self, order: &mut Order) -> Option<Next> {
        order.hop += 1;
        let temperature = self.dice.between(-80, 320);
        shipping::scanned(&mut self.journal, order, self.dice.pick(words::HUBS), temperature);
        let stuck_here = order.hop == 2;
        match order.plan.ending {
            Ending::DeliveredLate | Ending::Lost if stuck_here => {
                self.after(60 * MINUTE, 90 * MINUTE, Step::GetStuck)
            }
            Ending::Returned if order.hop == order.hops => {
                self.after(30 * MINUTE, 90 * MINUTE, Step::Return)
            }
            _ if order.hop == order.hops => self.after(15 * MINUTE, 80 * MINUTE, Step::Deliver),
            _ => self.after(20 * MINUTE, 60 * MINUTE, Step::Scan),
        }
    }

    fn get_stuck(&mut self, order: &mut Order) -> Option<Next> {
        let place = self.dice.pick(words::HUBS);
        let reason = self.dice.pick(words::STUCK_REASONS);
        let minutes = self.dice.between(45, 240);
        shipping::stuck(&mut self.journal, order, place, minutes, reason);
        self.note_trouble(order, "shipment stuck");
        if order.plan.ending == Ending::Lost {
            return self.after(120 * MINUTE, 240 * MINUTE, Step::Refund);
        }
        self.after(60 * MINUTE, 180 * MINUTE, Step::MoveAgain)
    }

    fn move_again(&mut self, order: &mut Order) -> Option<Next> {
        shipping::released(&mut self.journal, order);
        let step = if order.hop < order.hops { Step::Scan } else { Step::Deliver };
        self.after(20 * MINUTE, 60 * MINUTE, step)
    }

    fn deliver(&mut self, order: &mut Order) -> Option<Next> {
        let signed = self.dice.percent(60);
        shipping::delivered(&mut self.journal, order, self.dice.pick(words::RECIPIENTS), signed);
        let next = self.after(10 * MINUTE, 90 * MINUTE, Step::Complete);
        self.mail_first(order, "order-delivered", next)
    }

    fn send_back(&mut self, order: &mut Order) -> Option<Next> {
        shipping::returned(&mut self.journal, order, self.dice.pick(words::RETURN_REASONS));
        self.note_trouble(order, "returned");
        self.after(30 * MINUTE, 90 * MINUTE, Step::Refund)
    }

    fn refund(&mut self, order: &mut Order) -> Option<Next> {
        let whole = self.dice.percent(80);
        let refund = if whole { order.total_cents } else { order.total_cents / 2 };
        let reason = self.dice.pick(words::REFUND_REASONS);
        payment::refunded(&mut self.journal, order, Hundredths(refund), reason);
        self.note_trouble(order, "refunded");
        self.mail_first(order, "order-refunded", None)
    }

    fn complete(&mut self, order: &mut Order) -> Option<Next> {
        let minutes = (self.now - order.placed_at) / SECOND / 60;
        let rating = self.dice.between(10, 50);
        checkout::order_completed(&mut self.journal, order, minutes, rating);
        None
    }

    fn note_trouble(&mut self, order: &mut Order, trouble: &'static str) {
        // What happens after the last line was never logged.
        if !self.journal.is_open() {
            return;
        }
        order.troubles.push(trouble);
        let most = self.trouble.as_ref().map_or(0, |known| known.rank);
        let trouble = Trouble::of(order);
        if trouble.rank > most {
            self.trouble = Some(trouble);
        }
    }
}
