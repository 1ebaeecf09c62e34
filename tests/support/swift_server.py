"""A real object store with the API of S3: OpenStack Swift, in a process and an environment of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import obstore
import requests
from obstore.store import S3Store

from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS, STOP_SECONDS
from tests.support.template import RUN_VARIABLE

PYTHON = Path(sys.prefix) / "swift" / "bin" / "python"
"""Where tools/install_test_tools.sh installs Swift: it wants other versions of libraries than ASF does."""

ACCESS_KEY = "test:tester"
SECRET = hashlib.sha256(b"asf").hexdigest()
BUCKET = "podcasts"


class SwiftServer:
    """Swift on a free port of the loopback interface, with an empty bucket `BUCKET`; it keeps objects in memory.

    Skips where there is none.
    """

    def __init__(self, directory: Path) -> None:
        if not PYTHON.exists():
            missing("OpenStack Swift", "tools/install_test_tools.sh")
        self._directory = directory / "swift"
        self._directory.mkdir(parents=True)
        log = directory / "swift.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [PYTHON, Path(__file__).with_name("swift_program.py"), self._directory, ACCESS_KEY, SECRET],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env={name: os.environ[name] for name in ("PATH", RUN_VARIABLE)} | {"PYTHONWARNINGS": "ignore"},
            )
        killer = threading.Timer(START_SECONDS, self._process.kill)
        killer.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        killer.cancel()
        if not line:
            raise RuntimeError("Swift did not start:\n" + log.read_text())
        self.port = int(line)
        self.store = S3Store(
            BUCKET,
            endpoint=f"http://127.0.0.1:{self.port}",
            region="us-east-1",
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )
        made = requests.put(obstore.sign(self.store, "PUT", "", timedelta(minutes=1)), timeout=PATIENCE_SECONDS)
        assert made.status_code == 200, made.text

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a server reads from the bucket."""
        return {
            "ASF_S3_BUCKETS": BUCKET,
            "ASF_S3_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def put(self, key: str, audio: bytes) -> str:
        """Put an object into the bucket, in place of an earlier one, and return its URL."""
        obstore.put(self.store, key, audio)
        return f"s3://{BUCKET}/{key}"

    def delete(self, key: str) -> None:
        """Take an object out of the bucket."""
        obstore.delete(self.store, key)

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()
            shutil.rmtree(self._directory, ignore_errors=True)
