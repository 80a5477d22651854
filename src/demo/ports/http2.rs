//! The little HTTP/2 that an idle gRPC server speaks.

/// What a gRPC server sends before its peer has said a word: SETTINGS (24 octets) and a connection WINDOW_UPDATE,
/// 46 bytes beginning `00 00 18 04`.
pub(super) const GREETING: &[u8] = &[
    0x00,
    0x00,
    0x18,
    SETTINGS,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00, // frame header: 24 octets, stream 0
    0x00,
    0x03,
    0x7f,
    0xff,
    0xff,
    0xff, // MAX_CONCURRENT_STREAMS
    0x00,
    0x04,
    0x00,
    0x00,
    0xff,
    0xff, // INITIAL_WINDOW_SIZE
    0x00,
    0x06,
    0x00,
    0x00,
    0x40,
    0x00, // MAX_HEADER_LIST_SIZE
    0xfe,
    0x03,
    0x00,
    0x00,
    0x00,
    0x01, // gRPC: binary metadata as it is
    0x00,
    0x00,
    0x04,
    WINDOW_UPDATE,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00, // frame header: 4 octets, stream 0
    0x00,
    0x3f,
    0x00,
    0x01,
];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
/// RFC 9113, 4.2: larger frames are an error until SETTINGS allow them.
const LARGEST: usize = 16_384;

/// One connection, seen from the server.
#[derive(Default)]
pub(super) struct Session {
    prefaced: bool,
    unread: Vec<u8>,
}

impl Session {
    /// Takes bytes from the peer and gives what to send; none when the connection is to be closed, because the peer
    /// speaks something else or says goodbye. Calls are refused (`REFUSED_STREAM`): there is no Ray behind this port.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.unread.extend_from_slice(bytes);
        let mut reply = Vec::new();
        if !self.prefaced {
            let compared = self.unread.len().min(PREFACE.len());
            if self.unread.get(..compared) != PREFACE.get(..compared) {
                return None;
            }
            if compared < PREFACE.len() {
                return Some(reply);
            }
            self.prefaced = true;
            self.unread.drain(..compared);
        }
        while let Some(header) = self.unread.first_chunk::<9>() {
            let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *header;
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            if length > LARGEST || kind == GOAWAY {
                return None;
            }
            let Some(payload) = self.unread.get(9..9 + length) else { break };
            match kind {
                SETTINGS if flags & ACK == 0 => reply.extend([0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0]),
                PING if flags & ACK == 0 => {
                    reply.extend([0, 0, 8, PING, ACK, 0, 0, 0, 0]);
                    reply.extend_from_slice(payload.first_chunk::<8>()?);
                }
                HEADERS => reply.extend([0, 0, 4, RST_STREAM, 0, s0, s1, s2, s3, 0, 0, 0, 7]),
                _ => {}
            }
            self.unread.drain(..9 + length);
        }
        Some(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];

    #[test]
    fn acknowledges_settings_however_the_bytes_are_cut() {
        let bytes = [PREFACE, EMPTY_SETTINGS].concat();
        for cut in 0..bytes.len() {
            let mut session = Session::default();
            let mut reply = session.receive(&bytes[..cut]).unwrap();
            reply.extend(session.receive(&bytes[cut..]).unwrap());
            assert_eq!(reply, [0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0], "cut at {cut}");
        }
    }

    #[test]
    fn closes_on_what_is_not_http2() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x16, 0x03, 0x01, 0x02, 0x00], b"PRI * HTTP/1.1\r\n"] {
            assert_eq!(Session::default().receive(bytes), None);
        }
        let mut session = Session::default();
        assert_eq!(session.receive(PREFACE), Some(Vec::new()));
        assert_eq!(session.receive(&[0xff; 9]), None, "a frame larger than allowed");
    }

    #[test]
    fn answers_ping_and_refuses_calls() {
        let mut session = Session::default();
        session.receive(PREFACE).unwrap();
        let ping = [&[0, 0, 8, PING, 0, 0, 0, 0, 0][..], b"12345678"].concat();
        assert_eq!(session.receive(&ping).unwrap(), [&[0, 0, 8, PING, ACK, 0, 0, 0, 0][..], b"12345678"].concat());
        let call = [0, 0, 1, HEADERS, 5, 0, 0, 0, 3, 0x82];
        assert_eq!(session.receive(&call).unwrap(), [0, 0, 4, RST_STREAM, 0, 0, 0, 0, 3, 0, 0, 0, 7]);
    }

    #[test]
    fn the_greeting_is_as_measured() {
        assert_eq!(GREETING.len(), 46);
        assert_eq!(GREETING[..4], [0x00, 0x00, 0x18, 0x04]);
    }
}
