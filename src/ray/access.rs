//! May the user that Ray runs as read a file that the kubelet wrote?

use crate::evidence::{Container, Workload};

use super::Access;

/// Ray's own images (`rayproject/ray`, `ray-ml`, `ray-llm`) run as user `ray`, 1000, of group `users`, 100.
const RAY: (u32, u32) = (1000, 100);

/// Whether a file of this mode in a Secret, ConfigMap or projected volume can be read.
///
/// Such a file is root's, of group root. With `fsGroup` it is of that group, and the kubelet adds reading for owner and
/// group (Kubernetes `pkg/volume/volume_linux.go`).
pub(super) fn of(workload: &Workload, container: &Container, mode: u32) -> Access {
    let pod = &workload.security;
    let fs_group = pod.fs_group.is_some();
    let mode = if fs_group { mode | 0o440 } else { mode };
    // Every process of the pod is in its fsGroup.
    if mode & 0o004 != 0 || fs_group {
        return Access::Allowed;
    }
    let image = is_rays(&container.image).then_some(RAY);
    let Some(user) = container.security.user.or(pod.user).or(image.map(|(user, _)| user)) else {
        return Access::Unknown(format!(
            "its mode is {mode:04o}, root's, and which user the image {} runs as is not known",
            container.image
        ));
    };
    if user == 0 {
        return Access::Allowed;
    }
    let of_image = image.filter(|(of_image, _)| *of_image == user).map(|(_, group)| group);
    let group = container.security.group.or(pod.group).or(of_image);
    if mode & 0o040 != 0 {
        match group {
            _ if pod.groups.contains(&0) => return Access::Allowed,
            Some(0) => return Access::Allowed,
            None => {
                return Access::Unknown(format!(
                    "its mode is {mode:04o}, root's, and the group of user {user} is not known"
                ));
            }
            Some(_) => {}
        }
    }
    Access::Denied(format!("its mode is {mode:04o} and it is root's, so that user {user} cannot read it"))
}

fn is_rays(image: &str) -> bool {
    let name = image.split(['@', ':']).next().unwrap_or_default();
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    matches!(name, "rayproject/ray" | "rayproject/ray-llm" | "rayproject/ray-ml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Security;

    fn access(pod: Security, container: Security, image: &str, mode: u32) -> &'static str {
        let workload = Workload { security: pod, ..Workload::default() };
        let container = Container { image: image.into(), security: container, ..Container::default() };
        match of(&workload, &container, mode) {
            Access::Allowed => "allowed",
            Access::Denied(_) => "denied",
            Access::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn modes_users_and_groups() {
        let none = Security::default;
        let user = |user| Security { user: Some(user), ..Security::default() };
        let fs_group = || Security { fs_group: Some(2000), ..Security::default() };
        assert_eq!(access(none(), none(), "me/app", 0o644), "allowed");
        assert_eq!(access(none(), none(), "me/app", 0o400), "unknown");
        assert_eq!(access(none(), none(), "rayproject/ray:2.60.0-py311", 0o400), "denied");
        assert_eq!(access(none(), none(), "rayproject/ray@sha256:00", 0o440), "denied");
        assert_eq!(access(user(0), none(), "rayproject/ray:2.60.0", 0o400), "allowed");
        assert_eq!(access(user(1000), none(), "me/app", 0o400), "denied");
        assert_eq!(
            access(user(0), user(1000), "me/app", 0o400),
            "denied",
            "the container's user stands before the pod's"
        );
        assert_eq!(access(user(1000), none(), "me/app", 0o440), "unknown", "its group may be root");
        assert_eq!(access(Security { group: Some(0), ..user(1000) }, none(), "me/app", 0o440), "allowed");
        assert_eq!(access(Security { groups: vec![0], ..user(1000) }, none(), "me/app", 0o440), "allowed");
        assert_eq!(access(fs_group(), user(1000), "me/app", 0o400), "allowed", "fsGroup adds reading for the group");
    }
}
