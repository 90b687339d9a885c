//! The program: everything is in the library.

fn main() -> std::process::ExitCode {
    egress_lab::cli::main()
}
