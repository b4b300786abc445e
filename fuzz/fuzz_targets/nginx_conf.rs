#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floodmark_fuzz::run("nginx_conf", data));
