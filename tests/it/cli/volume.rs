//! `docker volume`.

use super::{BOTH, Stage, ran};

#[test]
fn a_volume_is_made_used_and_removed() {
    let stage = Stage::set("voluse");
    for cli in BOTH {
        let docker = |args: &[&str]| stage.quiet(cli, args);
        let volume = stage.name(&format!("{cli:?}"));
        assert_eq!(
            docker(&["volume", "create", "--label", "t1=vol", &volume]),
            volume
        );
        assert_eq!(
            docker(&["volume", "inspect", "-f", "{{.Labels.t1}}", &volume]),
            "vol"
        );
        let filter = format!("name={volume}");
        let list = ["volume", "ls", "-q", "--filter", &filter];
        assert_eq!(docker(&list).lines().count(), 1);
        // Each container lands where the volume is.
        let mount = format!("{volume}:/data");
        for number in ["1", "2", "3"] {
            let append = format!("echo {number} >> /data/file");
            docker(&["run", "--rm", "-v", &mount, "busybox", "sh", "-c", &append]);
        }
        let read = docker(&["run", "--rm", "-v", &mount, "busybox", "cat", "/data/file"]);
        assert_eq!(read, "1\n2\n3");
        let user = stage.name(&format!("{cli:?}-user"));
        docker(&[
            "run", "-d", "--name", &user, "-v", &mount, "busybox", "true",
        ]);
        let busy = ran(stage.docker(cli).args(["volume", "rm", &volume]), b"");
        assert!(
            busy.code == Some(1) && busy.err.contains("volume is in use"),
            "{busy:?}"
        );
        docker(&["rm", "-f", &user]);
        docker(&["volume", "rm", &volume]);
        assert_eq!(docker(&list), "");
    }
}

#[test]
fn volume_errors_are_those_of_one_engine() {
    let stage = Stage::set("volerr");
    for cli in BOTH {
        for args in [
            &["volume", "inspect", "nosuchvolume"][..],
            &["volume", "rm", "nosuchvolume"],
            &["volume", "create", "b@d"],
            &["volume", "ls", "--filter", "nosuch=1"],
        ] {
            assert_eq!(stage.same(cli, "node1", args).code, Some(1), "{args:?}");
        }
    }
}
