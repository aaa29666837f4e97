//! The kinds of lines that the shop writes.
//!
//! This table, the services in `services/` and the rule file `fluent-bit/rules/shop.yaml` belong
//! together: a rule has the name of the kind that it is for. What a kind changes is given as
//! `entity: field = value`, `-field` for a field that is unset.

macro_rules! line_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal $(changes $changes:literal)?;)*) => {
        /// A kind of line. [`LineKind::changes`] tells noise from lines that change an entity.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LineKind {
            $($(#[doc = $doc])* $(#[doc = ""] #[doc = concat!("`", $changes, "`")])? $kind,)*
        }

        impl LineKind {
            /// Every kind.
            pub const ALL: &'static [LineKind] = &[$(LineKind::$kind),*];

            /// The kind's name; for a kind that changes an entity it is the rule's name.
            pub fn name(self) -> &'static str {
                match self { $(LineKind::$kind => $name,)* }
            }

            /// What a line of this kind changes, or `None` for noise.
            pub fn changes(self) -> Option<&'static str> {
                match self { $(LineKind::$kind => None$(.or(Some($changes)))?,)* }
            }
        }
    };
}

line_kinds! {
    /// checkout, text.
    OrderPlaced = "order-placed"
        changes "order: status=placed customer items(int) total(number) currency gift(bool)";
    /// checkout, text to the end of the line.
    DeliveryNote = "delivery-note" changes "order: note";
    /// checkout, text.
    DeliveryNoteRemoved = "delivery-note-removed" changes "order: -note";
    /// checkout, text; the address holds blanks and ends before `by support agent`.
    AddressChanged = "address-changed" changes "order: address";
    /// checkout, text.
    OrderCancelled = "order-cancelled" changes "order: status=cancelled reason -problem";
    /// checkout, text.
    OrderCompleted = "order-completed" changes "order: status=completed rating(number)";

    /// payment, JSON.
    PaymentRequested = "payment-requested"
        changes "payment: status=authorizing order amount(number) method attempts(int); \
                 order: status=awaiting-payment payment";
    /// payment, JSON.
    PaymentDeclined = "payment-declined"
        changes "payment: status=declined reason; order: status=payment-failed problem=<reason>";
    /// payment, JSON.
    PaymentRetried = "payment-retried"
        changes "payment: status=authorizing method attempts(int) -reason; \
                 order: status=awaiting-payment -problem";
    /// payment, JSON.
    PaymentReviewed = "payment-reviewed"
        changes "payment: status=in-review risk(number) review=true; order: on_hold=true";
    /// payment, JSON.
    PaymentCleared = "payment-cleared" changes "payment: reviewer -review; order: -on_hold";
    /// payment, JSON; now and then so long that the runtime splits it.
    PaymentCaptured = "payment-captured"
        changes "payment: status=captured captured(number) risk(number) three_d_secure(bool); \
                 order: status=paid paid=true";
    /// payment, JSON.
    PaymentAbandoned = "payment-abandoned" changes "payment: status=failed attempts(int)";
    /// payment, JSON.
    PaymentRefunded = "payment-refunded"
        changes "payment: status=refunded refunded(number); \
                 order: status=refunded refund(number) -problem";

    /// inventory, logfmt.
    ItemListed = "item-listed"
        changes "item: name price(number) available(int) reserved=0 discontinued=false";
    /// inventory, logfmt; a second rule, `order-warehouse`, reads the same line.
    StockReserved = "stock-reserved"
        changes "item: available(int) reserved(int); order: warehouse";
    /// inventory, logfmt.
    StockReleased = "stock-released" changes "item: available(int) reserved(int)";
    /// inventory, logfmt.
    StockPicked = "stock-picked" changes "item: reserved(int)";
    /// inventory, logfmt.
    StockShort = "stock-short"
        changes "item: low=true available(int); \
                 order: status=waiting-for-stock problem=out of stock: <sku>";
    /// inventory, logfmt.
    StockLow = "stock-low" changes "item: low=true";
    /// inventory, logfmt.
    StockReplenished = "stock-replenished" changes "item: available(int) supplier -low";
    /// inventory, logfmt.
    PriceChanged = "price-changed" changes "item: price(number)";
    /// inventory, logfmt.
    ItemRenamed = "item-renamed" changes "item: name";
    /// inventory, logfmt.
    ItemDiscontinued = "item-discontinued" changes "item: discontinued=true -supplier";
    /// inventory, logfmt.
    ItemRelisted = "item-relisted" changes "item: discontinued=false";
    /// inventory, logfmt.
    OrderPacked = "order-packed"
        changes "order: status=packed parcels(int) weight_kg(number) station -problem";

    /// shipping, text.
    ShipmentCreated = "shipment-created"
        changes "shipment: status=created order parcels(int) weight_kg(number); order: shipment";
    /// shipping, text.
    ShipmentHandedOver = "shipment-handed-over"
        changes "shipment: status=in-transit courier location; order: status=shipped";
    /// shipping, a scanner's record, read by a regular expression.
    ShipmentScanned = "shipment-scanned"
        changes "shipment: location hop(int) hops(int) temperature(number)";
    /// shipping, text.
    ShipmentStuck = "shipment-stuck"
        changes "shipment: status=stuck stuck=true location delay_minutes(int) problem; \
                 order: problem=shipment stuck: <reason>";
    /// shipping, text.
    ShipmentReleased = "shipment-released"
        changes "shipment: status=in-transit -stuck -problem -delay_minutes; order: -problem";
    /// shipping, text.
    ShipmentDelivered = "shipment-delivered"
        changes "shipment: status=delivered received_by signed(bool) -temperature; \
                 order: status=delivered";
    /// shipping, text.
    ShipmentReturned = "shipment-returned"
        changes "shipment: status=returned problem; order: status=returned problem";

    /// notification, JSON with a dotted key.
    MailSent = "mail-sent" changes "order: last_mail mails(int) -mail_problem";
    /// notification, JSON with a dotted key.
    MailBounced = "mail-bounced" changes "order: mail_problem";

    /// tracking, logfmt.
    CourierPosition = "courier-position"
        changes "courier: zone load(int) speed_kmh(number) online(bool)";
    /// tracking, logfmt.
    CourierOffline = "courier-offline" changes "courier: online=false -zone -speed_kmh";

    /// gateway, an access log line.
    AccessLog = "access-log";
    /// gateway, an access log line of a probe.
    HealthCheck = "health-check";
    /// gateway, an error of nginx on standard error.
    UpstreamError = "upstream-error";
    /// checkout, text.
    ReadinessChanged = "readiness-changed";
    /// checkout, text of the garbage collector.
    GarbageCollection = "garbage-collection";
    /// checkout, text.
    ConnectionPool = "connection-pool";
    /// checkout, text that names an order without changing it.
    OrderLoaded = "order-loaded";
    /// checkout, several lines on standard error.
    StackTrace = "stack-trace";
    /// payment, JSON.
    ProviderCall = "provider-call";
    /// payment, JSON.
    TokenRefreshed = "token-refreshed";
    /// payment, JSON.
    CircuitState = "circuit-state";
    /// payment, JSON of more than the runtime writes in one piece.
    PayloadDump = "payload-dump";
    /// inventory, logfmt.
    RequestServed = "request-served";
    /// inventory, logfmt that names an item without changing it.
    CacheMiss = "cache-miss";
    /// inventory, logfmt.
    LeaderHeartbeat = "leader-heartbeat";
    /// shipping, text.
    QueuePolled = "queue-polled";
    /// shipping, text that names a shipment without changing it.
    RoutePlanned = "route-planned";
    /// shipping, several lines on standard error.
    Traceback = "traceback";
    /// notification, JSON.
    QueueDepth = "queue-depth";
    /// notification, JSON that names an order without changing it.
    TemplateRendered = "template-rendered";
    /// tracking, logfmt that names a courier without changing it.
    CourierPing = "courier-ping";
}
