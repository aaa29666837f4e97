//! Schemas of what has a JSON form of its own in the views.

use std::borrow::Cow;

use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type, schema::SchemaType};
use utoipa::{PartialSchema, ToSchema};

/// The schema of a [`Value`](statetrail_event::Value).
#[derive(Debug)]
pub struct ValueSchema;

impl PartialSchema for ValueSchema {
    fn schema() -> RefOr<Schema> {
        let types = [Type::String, Type::Number, Type::Boolean];
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter(types))
            .description(Some("A value of a field: a text, a number, true or false."))
            .into()
    }
}

impl ToSchema for ValueSchema {
    fn name() -> Cow<'static, str> {
        "Value".into()
    }
}

/// The schema of fields with their values, as one object.
#[derive(Debug)]
pub struct FieldsSchema;

impl PartialSchema for FieldsSchema {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("Fields with their values, by the fields' names."))
            .additional_properties(Some(Ref::from_schema_name("Value")))
            .into()
    }
}

impl ToSchema for FieldsSchema {
    fn name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ValueSchema::name().into_owned(), ValueSchema::schema()));
    }
}
