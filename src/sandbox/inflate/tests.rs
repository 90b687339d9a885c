//! Pieces packed by zlib 1.3 at the levels named.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// Three header blocks of kubectl's, one stream, level 6 with the dictionary: packed and plain.
const BLOCKS: [(&str, &str); 3] = [
    (
        "78bbe3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45e01c6061606100a4398b20d198094ade8c0600000000ffff",
        "000000030000000a73747265616d74797065000000056572726f7200000004706f72740000000438303830000000097265717565737469640000000130",
    ),
    (
        "c2aa19540e2512d60b000000ffff",
        "000000030000000a73747265616d74797065000000046461746100000004706f72740000000438303830000000097265717565737469640000000130",
    ),
    (
        "a2c4624300000000ffff",
        "000000030000000a73747265616d74797065000000056572726f7200000004706f72740000000438303830000000097265717565737469640000000131",
    ),
];
/// Level 0: `stored as it is`.
const STORED: &str = "7801000f00f0ff73746f726564206173206974206973000000ffff";
/// Strategy Z_FIXED: `fixed fixed fixed codes`, 20 times.
const FIXED: &str = "78014acbac484d5148432293f353528bd34685879e30000000ffff";
/// Level 9, codes of its own: `N bottles on the wall, M bottles; `, M from 0 to 59, N = M * M % 97.
const DYNAMIC: &str = "78da8cd43b6a05310c85e1ad780129c67af8415693c0855b0cb94506b2fd54c1a7981fa71d0e92fc49cc513e5fd7753ebecbebab5ccf47f9f938cfb772fc7d7e2ff53e515722ee13b612f33ee1d2a5dd4762452cef23b9220e559a0c0bb3f41569f0a0b1220354a6cc026e426bd0a82a6e878cf076838c005344809d562dc28dea08f18445553176e211e47e4046942bcc63c29cd0cb8479c2e59830071dba304f3034710e9a479c27f512e7041f13e70111616eb02e1366832b74611ed0cb8539e1592ecc062b75611ef44711e606ab70fd61c0db5d982bd55166381f5767ca8873806188b3834f8873a53ae24c7f5cbd66b8d410e6018421cc1dd615c2dca98e30779a67fc2333f7bdf2d8cf9c75fff6b4bd61fa761519fb8d66ee2f23dbfec2b2ef2f35c7fee253987f010000ffff";

#[test]
fn the_dictionary_is_spdys() {
    assert_eq!((DICTIONARY.len(), adler32(DICTIONARY)), (1423, 0xe3c6_a7c2));
}

#[test]
fn one_stream_goes_on_from_block_to_block() {
    let mut stream = Inflate::new(DICTIONARY);
    for (packed, plain) in BLOCKS {
        assert_eq!(stream.piece(&bytes(packed), 10_000).unwrap(), bytes(plain));
    }
}

#[test]
fn every_kind_of_block_is_read() {
    let bottles: String = (0..60).map(|m| format!("{} bottles on the wall, {m} bottles; ", m * m % 97)).collect();
    for (packed, plain) in
        [(STORED, "stored as it is".to_string()), (FIXED, "fixed fixed fixed codes".repeat(20)), (DYNAMIC, bottles)]
    {
        let out = Inflate::new(DICTIONARY).piece(&bytes(packed), 10_000).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), plain);
    }
}

#[test]
fn what_is_broken_is_refused_without_a_panic() {
    let limited = Inflate::new(DICTIONARY).piece(&bytes(FIXED), 100);
    assert_eq!(limited, Err(Wrong::TooLong));
    assert_eq!(Inflate::new(DICTIONARY).piece(b"no zlib", 100), Err(Wrong::Header));
    assert_eq!(Inflate::new(b"another").piece(&bytes(BLOCKS[0].0), 100), Err(Wrong::Dictionary));
    for packed in [BLOCKS[0].0, STORED, FIXED, DYNAMIC] {
        let whole = bytes(packed);
        for cut in 0..whole.len() {
            let _ = Inflate::new(DICTIONARY).piece(&whole[..cut], 10_000);
            for bit in [0x01, 0x10, 0x80] {
                let mut flipped = whole.clone();
                flipped[cut] ^= bit;
                let _ = Inflate::new(DICTIONARY).piece(&flipped, 10_000);
            }
        }
    }
}

#[test]
fn gzip_files_come_back_as_they_were() {
    for plain in [Vec::new(), b"hello".to_vec(), vec![7; 200_000]] {
        assert_eq!(gunzip(&gzip_stored(&plain), 1 << 20).unwrap(), plain);
    }
    // `printf hi | gzip -9n`
    assert_eq!(gunzip(&bytes("1f8b0800000000000203cbc80400ac2a93d802000000"), 10).unwrap(), b"hi");
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(gunzip(b"no gzip at all", 10), Err(Wrong::Header));
}
