//! Whatever is read is hostile: nothing may panic, and no half of a key may pass.

use proptest::prelude::*;
use serde_json::Value;

use super::assemble::{Object, assemble, kept_value, wanted};
use super::keyring::Keyring;
use super::{tlsfile, yaml};
use crate::evidence::{Evidence, Mode};

/// Values in the shape of pods and Secrets, with anything in any place.
fn value() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "kind",
        "metadata",
        "name",
        "namespace",
        "labels",
        "ownerReferences",
        "spec",
        "template",
        "containers",
        "initContainers",
        "env",
        "value",
        "valueFrom",
        "secretKeyRef",
        "envFrom",
        "configMapRef",
        "volumes",
        "secret",
        "volumeMounts",
        "ports",
        "containerPort",
        "command",
        "args",
        "status",
        "podIPs",
        "containerStatuses",
        "state",
        "running",
        "startedAt",
        "data",
        "stringData",
        "items",
        "headGroupSpec",
        "workerGroupSpecs",
        "rayStartParams",
        "managedFields",
        "fieldsV1",
        "f:data",
        "time",
        "rayClusterSpec",
        "jobTemplate",
        "projected",
        "sources",
        "x",
    ]);
    let text = prop_oneof![
        prop::sample::select(vec![
            "Pod",
            "Deployment",
            "Secret",
            "ConfigMap",
            "RayCluster",
            "RayJob",
            "List",
            "Service"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec!["ray start --head", "$(A)", "ray://$(A", "é\\", "$", "--address", "MQ=="])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 120, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|entries| entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_object_is_assembled_or_told_of(mut object in value(), kind in 0_usize..8) {
        const KINDS: [&str; 8] = ["Pod", "Deployment", "Secret", "ConfigMap", "RayCluster", "RayJob", "CronJob", "Service"];
        if let Value::Object(map) = &mut object {
            map.insert("kind".into(), KINDS[kind].into());
            map.insert("metadata".into(), serde_json::json!({"name": "n"}));
        }
        let mut evidence = Evidence::new(Mode::Live, "test", "2026-12-01T00:00:00Z".parse().unwrap());
        assemble(vec![Object::live(object)], &mut evidence, &mut Keyring::default());
        wanted(&evidence);
        prop_assert!(serde_json::to_string(&evidence).is_ok());
    }

    #[test]
    fn any_text_is_read_as_manifests(text in "(?s)(---|\\.\\.\\.|- |: |\\{|\\[|\\{\\{|&a|\\*a|<<|\n|  |[a-z\"'|>é\\\\]|.){0,60}") {
        let mut problems = Vec::new();
        yaml::objects(&text, "f", &mut problems);
    }

    #[test]
    fn any_bytes_are_described(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (facts, keys) = tlsfile::read(&bytes);
        prop_assert_eq!(facts.size, bytes.len() as u64);
        prop_assert!(keys.is_empty());
    }

    #[test]
    fn a_damaged_key_never_shows(at in 0_usize..220, byte in any::<u8>(), cut in 0_usize..230) {
        // Made for this test.
        let mut text = include_bytes!("../../fixtures/keys/p256-pkcs8.key").to_vec();
        let body = String::from_utf8(text.clone()).unwrap();
        let body: String = body.lines().filter(|line| !line.starts_with("-----")).collect();
        let at = at.min(text.len() - 1);
        text[at] = byte;
        text.truncate(text.len().saturating_sub(cut / 2));
        let (facts, _) = tlsfile::read(&text);
        let told = serde_json::to_string(&facts).unwrap();
        for part in body.as_bytes()[56..].chunks(12).filter(|part| part.len() == 12) {
            prop_assert!(!told.contains(std::str::from_utf8(part).unwrap()));
        }
    }

    #[test]
    fn any_value_is_kept_or_dropped(value in any::<String>()) {
        prop_assert!(kept_value(&value).is_none_or(|kept| kept.len() <= value.len()));
    }
}
