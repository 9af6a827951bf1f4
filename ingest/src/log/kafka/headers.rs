//! The headers of a message, read so that no name that a stranger gave can end the process: rdkafka's own reading of them
//! panics at a name that is no UTF-8. The only unsafe code here. Not for writing headers.
#![allow(unsafe_code)]

use rdkafka::bindings::{
    rd_kafka_header_cnt, rd_kafka_header_get_all, rd_kafka_message_headers, rd_kafka_resp_err_t as Code,
};
use rdkafka::message::BorrowedMessage;
use std::borrow::Cow;
use std::ffi::CStr;
use std::ptr;

/// A header of a message that is still librdkafka's.
pub type Header<'m> = (Cow<'m, str>, Option<&'m [u8]>);

/// Every header in its order. A byte of a name that is no UTF-8 becomes the replacement character.
pub fn of<'m>(message: &'m BorrowedMessage<'_>) -> Vec<Header<'m>> {
    let mut list = ptr::null_mut();
    // SAFETY: the message is alive while it is borrowed, and the list belongs to it.
    if unsafe { rd_kafka_message_headers(message.ptr(), &mut list) } != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Vec::new();
    }
    // SAFETY: the list is valid, as the call before reported.
    let count = unsafe { rd_kafka_header_cnt(list) };
    let mut headers = Vec::with_capacity(count);
    for number in 0..count {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list is valid, and what it points to lives as long as the message.
        let code = unsafe { rd_kafka_header_get_all(list, number, &mut name, &mut value, &mut size) };
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
            continue;
        }
        // SAFETY: librdkafka ends names with a zero, and gives the size of values; both live as long as the message.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        let value = (!value.is_null()).then(|| unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) });
        headers.push((name, value));
    }
    headers
}
