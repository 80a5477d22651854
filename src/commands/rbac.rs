use super::{Error, output};
use crate::cli::Rbac;
use crate::collect::cluster::rights::{Grant, roles};

pub(super) fn run(args: &Rbac) -> Result<u8, Error> {
    let (kind, of, name) = match (&args.user, &args.group, &args.service_account) {
        (Some(user), ..) => ("User", None, Some(user.as_str())),
        (_, Some(group), _) => ("Group", None, Some(group.as_str())),
        (.., Some(account)) => match account.split_once(':') {
            Some((of, name)) if !of.is_empty() && !name.is_empty() => ("ServiceAccount", Some(of), Some(name)),
            _ => return Err(Error::usage(format!("`{account}` is no NAMESPACE:NAME; write ci:deployer"))),
        },
        _ => ("User", None, None),
    };
    let namespace = (!args.all_namespaces).then_some(args.namespace.as_str());
    output::print(&roles(&Grant { level: args.level, namespace, kind, of, name, secrets: &args.secrets }))?;
    Ok(0)
}
