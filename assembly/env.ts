// Every import: all that comes into the core is in this file, and all of it is system calls that
// return at once. Each answers a count, or minus a Fault; none throws.

/**
 * sendfile(2): moves bytes of a file to a socket inside the kernel. A call that moved bytes and then
 * failed returns the bytes; the failure, if it lasts, comes with the next call.
 *
 * Returns: bytes moved, 0 at the end of the file, or minus WouldBlock, Interrupted, Unsupported,
 * Missing, Closed, System.
 */
@external("env", "sendfile")
export declare function sendfile(out: i32, file: i32, offset: f64, count: i32): i32;

/**
 * preadv2(2) with RWF_NOWAIT: reads bytes in the page cache into linear memory, never waits for a disk.
 *
 * Returns: bytes read, 0 at the end of the file, or minus WouldBlock (not in the cache),
 * Interrupted, Unsupported, Missing, Closed, System.
 */
@external("env", "read")
export declare function read(file: i32, ptr: usize, offset: f64, count: i32): i32;

/**
 * send(2) from linear memory, with MSG_MORE if `more` is 1; never raises SIGPIPE.
 *
 * Returns: bytes taken, or minus WouldBlock, Interrupted, Unsupported, Missing, Closed, System.
 */
@external("env", "send")
export declare function send(out: i32, ptr: usize, count: i32, more: i32): i32;

/**
 * recv(2) into linear memory; never waits. Called for connections of the server's loop alone.
 *
 * Returns: bytes received, 0 once the peer sends no more, or minus WouldBlock, Interrupted, Missing, Closed, System.
 */
@external("env", "recv")
export declare function recv(from: i32, ptr: usize, count: i32): i32;
