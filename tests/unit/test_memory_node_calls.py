"""A node that is the only one asks itself, as the port promises."""

import pytest

from asf.adapters.memory_node_calls import SingleNodeCalls
from asf.domain.operations.ports import NodeCalls
from tests.contracts.node_calls import NODE, Answering, NodeCallsContract


class TestSingleNodeCalls(NodeCallsContract):
    """The contract."""

    @pytest.fixture
    def calls(self, answering: Answering) -> NodeCalls:
        calls = SingleNodeCalls(NODE)
        calls.connect(answering)
        return calls
