"""What clients send is decoded as the library decodes it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from socketio.packet import Packet

from asf.adapters.realtime_api.socketio_server import StrictPacket

texts = st.text(st.sampled_from('01234567890-/,?[]{}":an e'), max_size=25)


@given(
    st.one_of(texts, st.builds("{}{}{}".format, st.sampled_from("0123456"), st.sampled_from(["/n,", "/n"]), texts))
)
@example('2/api/v1/podcasts/stream,["join_stream",{"stream_id":"a"}]')
@example('0/n,{"token":"a"}')
@example("0/n,")
@example('2/n,1["a"]')
@example('2/n?a,["a"]')
@example('21-/n,["a"]')
@example("2/n,[")
def test_packets_are_decoded_as_by_the_library(text: str) -> None:
    """Valid ones and others."""
    try:
        expected = vars(Packet(encoded_packet=text))
    except ValueError as error:
        with pytest.raises(type(error)):
            StrictPacket(encoded_packet=text)
        return
    if expected["attachment_count"] > 1:
        with pytest.raises(ValueError, match="announced"):
            StrictPacket(encoded_packet=text)
        return
    assert vars(StrictPacket(encoded_packet=text)) == expected
