//! The addresses as a table, which both the router and the test of who may do what are made from:
//! what axum routes it does not tell.

use axum::{
    Router,
    handler::Handler,
    routing::{self, MethodRouter},
};

use super::Shared;

/// A method at an address, and what answers it.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    answer: MethodRouter<Shared>,
}

macro_rules! methods {
    ($($name:ident $method:literal,)*) => {
        impl Route {
            $(
                pub(super) fn $name<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>) -> Self {
                    Self { method: $method, path, answer: routing::$name(handler) }
                }
            )*
        }
    };
}

methods! {
    get "GET",
    post "POST",
    put "PUT",
    patch "PATCH",
    delete "DELETE",
}

/// The router of a table. Methods of one address are put together.
pub(super) fn router(table: Vec<Route>) -> Router<Shared> {
    table.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.answer))
}
