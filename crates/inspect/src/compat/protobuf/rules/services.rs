//! Rules about services and their rpcs.

use super::super::model::{Method, Service};
use super::table::{
    RPC_NO_DELETE, RPC_SAME_CLIENT_STREAMING, RPC_SAME_IDEMPOTENCY_LEVEL, RPC_SAME_REQUEST_TYPE, RPC_SAME_RESPONSE_TYPE,
    RPC_SAME_SERVER_STREAMING,
};
use super::{At, Comparison, mend};
use std::collections::HashMap;

pub(super) fn compare(all: &mut Comparison<'_>) {
    let (base, revision) = (all.base, all.revision);
    for before in &base.services {
        let Some(now) = revision.service(&before.name) else { continue };
        let methods: HashMap<&str, &Method> = now.methods.iter().map(|method| (method.name.as_str(), method)).collect();
        for method in &before.methods {
            match methods.get(method.name.as_str()) {
                Some(other) => pair(all, before, method, now, other),
                None => {
                    let path = format!("{}.{}", before.name, method.name);
                    let message = format!("The rpc {} of {} was deleted: its callers get UNIMPLEMENTED.", method.name, before.name);
                    let was = At { file: before.file, line: method.line };
                    let found = all.say(&RPC_NO_DELETE, &path, At { file: now.file, line: now.line }, Some(was), message);
                    mend(found, "keep the rpc and mark it deprecated until nothing calls it");
                }
            }
        }
    }
}

fn pair(all: &mut Comparison<'_>, service: &Service, before: &Method, now_in: &Service, now: &Method) {
    let path = format!("{}.{}", service.name, before.name);
    let (place, was) = (At { file: now_in.file, line: now.line }, At { file: service.file, line: before.line });
    let stream = |streaming| if streaming { "streaming" } else { "unary" };
    let changes = [
        (&RPC_SAME_REQUEST_TYPE, "request", before.input.as_str(), now.input.as_str()),
        (&RPC_SAME_RESPONSE_TYPE, "response", &before.output, &now.output),
        (&RPC_SAME_CLIENT_STREAMING, "client", stream(before.client_streaming), stream(now.client_streaming)),
        (&RPC_SAME_SERVER_STREAMING, "server", stream(before.server_streaming), stream(now.server_streaming)),
        (&RPC_SAME_IDEMPOTENCY_LEVEL, "idempotency_level", &before.idempotency, &now.idempotency),
    ];
    for (rule, what, old, new) in changes {
        if old != new {
            let found = all.say(rule, &path, place, Some(was), format!("The rpc {path} changed its {what} from {old} to {new}."));
            mend(found, "add a new rpc beside this one");
        }
    }
}
