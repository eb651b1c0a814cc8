//! Who asks, and how they show who they are.

use crate::common::{ask::Ask, world::World};

/// A way to come to a door over the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    Nobody,
    /// The owner's name with a password that is not theirs.
    WrongPassword,
    /// A name that no account has.
    UnknownName,
    /// A token nobody was given.
    WrongToken,
    /// An access key nobody has.
    UnknownKey,
    /// The owner's access key with another secret.
    WrongSignature,
    /// An account's password.
    Password(&'static str),
    /// An app password, with the name it is for.
    App(&'static str),
    /// An app password alone.
    Token(&'static str),
    /// An access key.
    Key(&'static str),
    /// The same, in the address.
    Presigned(&'static str),
    /// Signed in the address with another secret than the owner's.
    WronglyPresigned,
}

/// What a door must make of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Who {
    /// Sends nothing.
    Nobody,
    /// Sends something that is not right, or not for this door.
    Wrong(&'static str),
    /// The owner, in full.
    Owner,
    /// The owner's app password for reading.
    Reader,
    /// The owner's app password for another bucket.
    Elsewhere,
    /// Another account; the admin is one like others here.
    Other(&'static str),
}

/// Everybody, as WebDAV must see them. `Wrong` has the answer S3 gives, which WebDAV does not: it
/// answers 401 to all of them.
pub(super) const AT_DAV: [(By, Who); 21] = [
    (By::Nobody, Who::Nobody),
    (By::WrongPassword, Who::Wrong("")),
    (By::UnknownName, Who::Wrong("")),
    (By::WrongToken, Who::Wrong("")),
    (By::UnknownKey, Who::Wrong("")),
    (By::WrongSignature, Who::Wrong("")),
    (By::Key("olga"), Who::Wrong("")),
    (By::Password("dina"), Who::Wrong("")),
    (By::App("dina"), Who::Wrong("")),
    (By::Token("dina"), Who::Wrong("")),
    (By::Password("otto"), Who::Other("otto")),
    (By::App("otto"), Who::Other("otto")),
    (By::Token("otto"), Who::Other("otto")),
    (By::Password("adam"), Who::Other("adam")),
    (By::App("adam"), Who::Other("adam")),
    (By::App("olga-reading"), Who::Reader),
    (By::Token("olga-reading"), Who::Reader),
    (By::App("olga-elsewhere"), Who::Elsewhere),
    (By::Password("olga"), Who::Owner),
    (By::App("olga"), Who::Owner),
    (By::Token("olga"), Who::Owner),
];

/// Everybody, as S3 must see them.
pub(super) const AT_S3: [(By, Who); 17] = [
    (By::Nobody, Who::Nobody),
    (By::UnknownKey, Who::Wrong("InvalidAccessKeyId")),
    (By::WrongSignature, Who::Wrong("SignatureDoesNotMatch")),
    (By::Key("dina"), Who::Wrong("InvalidAccessKeyId")),
    (By::WrongPassword, Who::Wrong("InvalidArgument")),
    (By::Password("olga"), Who::Wrong("InvalidArgument")),
    (By::App("olga"), Who::Wrong("InvalidArgument")),
    (By::Token("olga"), Who::Wrong("InvalidArgument")),
    (By::Password("adam"), Who::Wrong("InvalidArgument")),
    (By::WronglyPresigned, Who::Wrong("SignatureDoesNotMatch")),
    (By::Presigned("dina"), Who::Wrong("InvalidAccessKeyId")),
    (By::Key("otto"), Who::Other("otto")),
    (By::Presigned("otto"), Who::Other("otto")),
    (By::Key("adam"), Who::Other("adam")),
    (By::Presigned("adam"), Who::Other("adam")),
    (By::Key("olga"), Who::Owner),
    (By::Presigned("olga"), Who::Owner),
];

impl By {
    /// Whether the request carries a signature.
    pub(super) fn signs(self) -> bool {
        matches!(
            self,
            Self::UnknownKey
                | Self::WrongSignature
                | Self::Key(_)
                | Self::Presigned(_)
                | Self::WronglyPresigned
        )
    }

    /// The request with these credentials.
    pub(super) fn dress(self, world: &World, ask: Ask) -> Ask {
        match self {
            Self::Nobody => ask,
            Self::WrongPassword => ask.basic("olga", "correct horse of otto"),
            Self::UnknownName => ask.basic("nobody", "correct horse of olga"),
            Self::WrongToken => ask.with("authorization", "Bearer hda_0000000000000000000000000000000000"),
            Self::UnknownKey => {
                let mut signer = world.signer("olga");
                signer.id = "AKIANOBODY0000000000".into();
                signer.sign(ask)
            }
            Self::WrongSignature => {
                let mut signer = world.signer("olga");
                signer.secret.push('x');
                signer.sign(ask)
            }
            Self::Password(name) => world.basic(name, ask),
            Self::App(what) => ask.basic(what.split('-').next().unwrap(), world.app(what)),
            Self::Token(what) => ask.with("authorization", &format!("Bearer {}", world.app(what))),
            Self::Key(name) => world.signer(name).sign(ask),
            Self::Presigned(name) => world.signer(name).presign(ask, 60),
            Self::WronglyPresigned => {
                let mut signer = world.signer("olga");
                signer.secret.push('x');
                signer.presign(ask, 60)
            }
        }
    }
}
