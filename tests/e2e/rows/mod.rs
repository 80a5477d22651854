//! The rows, by what they are about.

mod authorities;
mod cert_manager;
mod django;
mod files;
mod healthy;
mod kuberay;
mod names;
mod rights;
mod rotation;
mod services;
mod settings;

use crate::row::Row;

/// Name, title and rows of a group.
pub(crate) type Group = (&'static str, &'static str, &'static [Row]);

/// In the order of the page.
pub(crate) const GROUPS: &[Group] = &[
    ("healthy", "Healthy clusters", healthy::ROWS),
    ("names", "Names", names::ROWS),
    ("authorities", "Authorities", authorities::ROWS),
    ("files", "Certificates and keys", files::ROWS),
    ("settings", "Variables, mounts and Secrets", settings::ROWS),
    ("rotation", "Rotation", rotation::ROWS),
    ("kuberay", "KubeRay", kuberay::ROWS),
    ("cert_manager", "cert-manager", cert_manager::ROWS),
    ("django", "django-ray", django::ROWS),
    ("services", "Services", services::ROWS),
    ("rights", "Rights", rights::ROWS),
];

/// Every row with the name of its group.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static Row)> {
    GROUPS.iter().flat_map(|(group, _, rows)| rows.iter().map(|row| (*group, row)))
}
