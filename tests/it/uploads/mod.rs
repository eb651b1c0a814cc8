//! Uploads that do not end as they began: cut off anywhere, ended twice, aborted while they end. The
//! old version stays until the whole of a new one is there. Bodies that are not what they declare are
//! in `badinput`.

mod aborts;
mod ends;

use crate::common::world::World;

/// What stands at a path and at a key, which is the same through both doors.
async fn content(world: &World, name: &str) -> Option<Vec<u8>> {
    use crate::common::ask::Ask;
    let by_key = world.ask(&world.signer("olga").sign(Ask::new("GET", &format!("/olga/{name}")))).await;
    let by_path = world.ask(&world.basic("olga", Ask::new("GET", &format!("/dav/olga/{name}")))).await;
    assert_eq!((by_key.status, by_key.header("etag")), (by_path.status, by_path.header("etag")));
    match by_key.status {
        200 => {
            assert!(by_key.body == by_path.body, "{name} differs from door to door");
            Some(by_key.body)
        }
        404 => None,
        status => panic!("{status} for {name}"),
    }
}
