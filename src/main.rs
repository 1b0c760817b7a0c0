fn main() -> std::process::ExitCode {
    pushcron::cli::main()
}
