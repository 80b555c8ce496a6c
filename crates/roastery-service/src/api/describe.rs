//! The description of the API (OpenAPI 3.1), generated from the operations.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{events::Lagged, health, routes};
use crate::view::{Problem, ServiceEvent};

/// The description without its operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Roastery",
        description = "A node of Roastery groups: threshold signing of Taproot signatures.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, ServiceEvent, Lagged)),
    modifiers(&Tokens)
)]
struct Description;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let text = "The token in api.token_file may do everything but make and revoke tokens, the \
                    one in api.read_token_file may read, and those of /v1/tokens do what their \
                    roles say. The Unix socket needs none: there the user counts.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text));
        if let Some(components) = &mut document.components {
            components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
        }
        document.security = Some(vec![SecurityRequirement::new("token", [] as [&str; 0])]);
    }
}

/// The description of the API (OpenAPI), as JSON.
pub fn description() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| describe().to_string())
}

fn describe() -> Value {
    let acts = routes::all_acts();
    let acts_described = acts.get_openapi().clone();
    let router = OpenApiRouter::with_openapi(Description::openapi());
    #[cfg(feature = "remote")]
    let router = router.merge(super::remote::relayed());
    let mut document =
        router.merge(routes::reads()).merge(acts).merge(health::routes()).to_openapi();
    // Merging leaves the names of the components as they are.
    document.openapi = Default::default();
    // It is made of constants only.
    let mut document = serde_json::to_value(document).expect("a description of strings is JSON");
    let paths = document["paths"].as_object_mut();
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            let described = acts_described.paths.paths.get(path);
            let kind = match (method.as_str(), described) {
                ("get", Some(item)) if item.get.is_some() => Kind::Act,
                ("post", _) => Kind::Act,
                _ if path.starts_with("/v1/") => Kind::Read,
                _ => Kind::Health,
            };
            add_problems(operation, kind);
        }
    }
    document
}

/// The kind of an operation, which determines how it can be refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Act,
    Read,
    Health,
}

/// Adds the refusals that do not depend on the operation itself.
fn add_problems(operation: &mut Value, kind: Kind) {
    let has_body = operation["requestBody"].is_object();
    let parameters = operation["parameters"].as_array();
    let is_in =
        |place: &str| parameters.into_iter().flatten().any(|parameter| parameter["in"] == place);
    let (in_path, in_query) = (is_in("path"), is_in("query"));
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    add(responses, "401", "unauthorized: over TCP without a token of this node");
    add(responses, "429", "too_many: the connections, requests or event streams of this role");
    if kind == Kind::Health {
        return;
    }
    if kind == Kind::Act {
        add(
            responses,
            "403",
            "forbidden: the role of the token or the user may not do this; refused: by this node's policy",
        );
        add(responses, "408", "too_slow: the body did not come in time");
        add(responses, "413", "too_large: the body is longer than 1 MiB");
    }
    if has_body || in_path || in_query {
        add(responses, "400", "invalid: the path, the query or the body cannot be read");
    }
    if has_body {
        add(responses, "415", "invalid: the body is not of the content type that is described");
    }
    if has_body || in_query {
        add(responses, "422", "invalid: what is asked for makes no sense; the message says why");
    }
    if in_path {
        add(responses, "404", "not_found: there is nothing of this name");
        add(responses, "409", "ambiguous: there is more than one thing of this name");
    }
    add(responses, "500", "internal: the message and the program's log say what");
    add(responses, "503", "no_answer: the node does not answer in time");
}

fn add(responses: &mut Map<String, Value>, status: &str, text: &str) {
    if responses.contains_key(status) {
        return;
    }
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    let content = json!({ "application/json": { "schema": schema } });
    let response = json!({ "description": text, "content": content });
    responses.insert(status.to_owned(), response);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn operations(document: &Value) -> impl Iterator<Item = (String, String, &Value)> {
        document["paths"].as_object().unwrap().iter().flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations.map(move |(method, operation)| (method.clone(), path.clone(), operation))
        })
    }

    /// The names between braces.
    fn template(path: &str) -> BTreeSet<&str> {
        path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect()
    }

    #[test]
    fn the_path_of_each_operation_has_the_parameters_that_are_described() {
        let document = describe();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
        for (method, path, operation) in operations(&document) {
            let empty = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&empty);
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            let in_path: BTreeSet<&str> =
                in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            assert_eq!(in_path, template(&path), "{method} {path}");
            for parameter in parameters {
                let required = parameter["in"] == "path";
                assert_eq!(parameter["required"], required, "{method} {path}: {parameter}");
                assert!(parameter["schema"].is_object() && parameter["description"].is_string());
            }
        }
    }

    #[test]
    fn what_readers_may_ask_for_changes_nothing() {
        let reads = serde_json::to_value(routes::reads().to_openapi()).unwrap();
        for (method, path, _) in operations(&reads) {
            assert_eq!(method, "get", "{path} belongs to the acts");
        }
    }

    #[test]
    fn each_operation_has_a_name_of_its_own_a_text_and_its_refusals() {
        let document = describe();
        let mut names = BTreeSet::new();
        for (method, path, operation) in operations(&document) {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            for status in ["200", "401", "429"] {
                assert!(responses.contains_key(status), "{method} {path} has no {status}");
            }
            for (status, response) in responses {
                assert!(status.parse::<u16>().is_ok(), "{method} {path}: {status}");
                assert!(response["description"].is_string(), "{method} {path}: {status}");
                let kinds: Vec<&String> = response["content"].as_object().unwrap().keys().collect();
                assert_eq!(kinds.len(), 1, "{method} {path}: {status}");
            }
        }
    }

    #[test]
    fn whatever_is_referred_to_is_there() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = describe();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn a_body_with_fields_that_are_not_known_is_described_as_refused() {
        let document = describe();
        for (method, path, operation) in operations(&document) {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let Some(reference) = schema["$ref"].as_str() else { continue };
            let schema = document.pointer(&reference[1..]).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{method} {path}");
        }
    }
}
