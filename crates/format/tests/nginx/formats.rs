//! Formats of the field.

/// Formats whose fields can be told apart whatever a client sends.
pub(crate) const UNFORGEABLE: &[&str] = &[
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#,
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#,
    r#"$host:$server_port $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    r#"$remote_addr [$time_local] "$request" $status $request_length $body_bytes_sent $request_time "$t_size""#,
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_status $upstream_response_time $request_id"#,
    r#"[$time_iso8601] $remote_addr "$request" $status rt=$request_time uct="$upstream_connect_time" urt="$upstream_response_time" us=$upstream_status ua="$upstream_addr" "$http_user_agent""#,
    r#"$msec $remote_addr $remote_user $status $bytes_sent"#,
    r#"$remote_addr|$time_iso8601|$status|$host|$request"#,
    r#"$remote_addr:$remote_port "$scheme://$host$request_uri" $status $gzip_ratio"#,
    r#"escape=json {"time":"$time_iso8601","msec":$msec,"addr":"$remote_addr","user":"$remote_user","request":"$request","status":$status,"bytes":$body_bytes_sent,"referer":"$http_referer","ua":"$http_user_agent","urt":$upstream_response_time,"us":"$upstream_status","host":"$host"}"#,
];
