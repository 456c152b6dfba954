import pytest

from sandbox.receivers import SlackReceiver, SmtpReceiver
from store.db import Store
from tests.alerts.alert_cases import NOW


@pytest.fixture
def store(tmp_path):
    opened = Store.open(tmp_path / "r.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def slack():
    with SlackReceiver(lambda: NOW) as receiver:
        yield receiver


@pytest.fixture
def smtp():
    with SmtpReceiver() as receiver:
        yield receiver
